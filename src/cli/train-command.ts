/** `sealsum train`: posts a model.json, follows the training, prints what GET /prediction answers. */
import { readFile } from 'node:fs/promises';
import { Presets, SingleBar } from 'cli-progress';
import { type Command, Option } from 'commander';
import { readTextFile } from '../config/files.ts';
import { SealsumError } from '../errors.ts';
import { followModel } from '../http/model-owner-client.ts';
import { createTransport } from '../http/transport.ts';
import { systemClock } from '../protocol/clock.ts';
import { readToken, withToken } from './access-token.ts';

const examples = `
Examples:
  sealsum train examples/linear/model.json
  sealsum train model.json --model-owner http://127.0.0.1:9090 > prediction.json
  sealsum train model.json --model-owner https://research.example.org:9090 --token-file access-token --ca ca.pem

The model owner, the facilitator and the data owners must be running. Ctrl-C stops the training.`;

interface TrainOptions {
  readonly modelOwner: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

export function registerTrainCommand(program: Command): void {
  program
    .command('train')
    .summary('train a model with the data owners')
    .description(
      'Post a model.json to a model owner, follow its training and print the final cost and predictions as JSON.',
    )
    .argument('<model.json>', 'the file that says what to train')
    .addOption(
      new Option('--model-owner <url>', 'where the model owner listens')
        .env('SEALSUM_MODEL_OWNER')
        .default('http://127.0.0.1:9090'),
    )
    .addOption(
      new Option('--token-file <file>', 'a file with the token that the model owner asks for').env(
        'SEALSUM_TOKEN_FILE',
      ),
    )
    .option('--ca <file>', "who signed the model owner's certificate (default: what the system trusts)")
    .addHelpText('after', examples)
    .action(async (file: string, options: TrainOptions) => {
      const document = await readDocument(file);
      const ca = options.ca === undefined ? undefined : await readTextFile(options.ca, '--ca');
      const token = options.tokenFile === undefined ? undefined : await readToken(options.tokenFile);
      await using transport = createTransport(ca === undefined ? {} : { ca });
      const stop = new AbortController();
      const interrupt = (): void => {
        stop.abort();
      };
      process.once('SIGINT', interrupt);
      process.once('SIGTERM', interrupt);
      const bar = createProgressBar();
      try {
        const { answer } = await followModel({
          url: options.modelOwner,
          document,
          fetch: token === undefined ? transport.fetch : withToken(transport.fetch, token),
          clock: systemClock,
          signal: stop.signal,
          onProgress: (done, planned) => {
            bar?.setTotal(planned);
            bar?.update(done);
          },
        });
        bar?.stop();
        console.log(JSON.stringify(answer));
      } finally {
        bar?.stop();
        process.removeListener('SIGINT', interrupt);
        process.removeListener('SIGTERM', interrupt);
      }
    });
}

async function readDocument(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SealsumError('model_invalid', `${file}: cannot be read`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SealsumError('model_invalid', `${file} is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
}

/** For people who watch; nothing where the output is piped. */
function createProgressBar(): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar(
    { format: 'training {bar} {value}/{total} updates, {duration_formatted}', hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(1, 0);
  return bar;
}
