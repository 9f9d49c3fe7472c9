/** Where passphrases come from: a file, the environment, or the person at the terminal, in that order. Never an argument. */
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { exists, readPrivateFile } from './files.ts';
import type { Terminal } from './terminal.ts';

export const passphraseVariable = 'SEALSUM_PASSPHRASE';

export interface PassphraseSources {
  /** The path of a file that holds it; nothing else is asked when there is one. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
}

/** 256 random bits as text, for a file that a machine reads. */
export function randomPassphrase(random: RandomBytes): string {
  return Buffer.from(random(32)).toString('base64url');
}

/**
 * The passphrase of something that is sealed.
 *
 * A file that is not there is passed over where the passphrase can be learnt otherwise: the credential of a service exists
 * only while the service runs, and its identity may have to be worked with by hand.
 *
 * @param what is named in the question, such as `the identity of north`
 * @throws SealsumError identity_invalid for a file that others may read or an empty passphrase; config_invalid when there is
 *   no way to learn it
 */
export async function existingPassphrase(what: string, sources: PassphraseSources): Promise<string> {
  const { file, env, terminal } = sources;
  const otherwise = env[passphraseVariable] !== undefined || terminal.interactive;
  const passed = file !== undefined && otherwise && !(await exists(file));
  return (
    (await given(passed ? { env, terminal } : sources)) ?? (await asked(`Passphrase of ${what}: `, what, terminal))
  );
}

/** Like existingPassphrase, for something that is about to be sealed: a person types it twice. */
export async function newPassphrase(what: string, sources: PassphraseSources): Promise<string> {
  const known = await given(sources);
  if (known !== undefined) return known;
  const first = await asked(`New passphrase for ${what}: `, what, sources.terminal);
  const again = await sources.terminal.askHidden('The same again: ');
  if (first.normalize('NFC') !== again.normalize('NFC'))
    throw new SealsumError('identity_invalid', 'the two passphrases differ; try again', { field: 'passphrase' });
  return first;
}

async function given({ file, env }: PassphraseSources): Promise<string | undefined> {
  if (file !== undefined) {
    const text = (await readPrivateFile(file, 'passphrase_file')).toString('utf8');
    return notEmpty(text.replace(/\r?\n$/, ''), file);
  }
  const text = env[passphraseVariable];
  return text === undefined ? undefined : notEmpty(text, passphraseVariable);
}

async function asked(question: string, what: string, terminal: Terminal): Promise<string> {
  if (!terminal.interactive)
    throw new SealsumError(
      'config_invalid',
      `the passphrase of ${what} is not given: name a passphrase_file, set ${passphraseVariable}, or start at a terminal`,
      { field: 'passphrase_file' },
    );
  return notEmpty(await terminal.askHidden(question), 'the passphrase');
}

function notEmpty(passphrase: string, where: string): string {
  if (passphrase === '') throw new SealsumError('identity_invalid', `${where} is empty`, { field: 'passphrase' });
  return passphrase;
}
