/** How commands reach a model owner, of which they need no configuration: an address, and a token where it asks for one. */
import { type Command, Option } from 'commander';
import { readTextFile } from '../config/files.ts';
import { createTransport } from '../http/transport.ts';
import { readToken, withToken } from './access-token.ts';
import { addressIn } from './address.ts';

export interface ModelOwnerOptions {
  readonly modelOwner: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/** Where one listens on this machine, unless it is told otherwise. */
export const defaultModelOwner = 'http://127.0.0.1:9090';

export function withModelOwnerOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--model-owner <url>', 'where the model owner listens')
        .env('SEALSUM_MODEL_OWNER')
        .default(defaultModelOwner),
    )
    .addOption(
      new Option('--token-file <file>', 'a file with the token that the model owner asks for').env(
        'SEALSUM_TOKEN_FILE',
      ),
    )
    .option('--ca <file>', "who signed the model owner's certificate (default: what the system trusts)");
}

/** Where to ask, and how. */
export interface ModelOwnerAccess extends AsyncDisposable {
  readonly url: string;
  readonly fetch: typeof fetch;
}

/** @throws SealsumError and usage errors for files that cannot be read */
export async function openModelOwner({
  modelOwner,
  tokenFile,
  ca: caFile,
}: ModelOwnerOptions): Promise<ModelOwnerAccess> {
  const url = addressIn('--model-owner', modelOwner);
  const ca = caFile === undefined ? undefined : await readTextFile(caFile, '--ca');
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  const transport = createTransport(ca === undefined ? {} : { ca });
  return {
    url,
    fetch: token === undefined ? transport.fetch : withToken(transport.fetch, token),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
