/** Changing what a party's identity.json holds or how it is sealed, so that no crash in between loses a key. */
import { rename } from 'node:fs/promises';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { exists, readPrivateFile, reasonOf, writePrivateFile } from './files.ts';
import { newSecrets, oldIdentityFile, readSecrets, writeSecrets } from './identity-file.ts';
import type { PartyConfig } from './party-config.ts';
import { entryOf, type Roster } from './roster-file.ts';
import { createSuccession, type SignedSuccession } from './successor.ts';

export interface Rotation {
  readonly succession: SignedSuccession;
  /** Where the identity from before is kept until the roster names the new one. */
  readonly oldFile: string;
  /** Whether an earlier rotation is not admitted yet, of which this is the statement again. */
  readonly repeated: boolean;
}

/**
 * Gives a party a new identity, with the storage key of the one before, and the statement that makes it known. Until the
 * roster names it, loadParty goes on with the old one.
 *
 * @param now milliseconds since 1970
 * @throws SealsumError identity_invalid when the roster names neither the present identity nor the one before;
 *   passphrase_wrong
 */
export async function rotateIdentity(
  config: PartyConfig,
  roster: Roster,
  passphrase: string,
  { random, now }: { readonly random: RandomBytes; readonly now: number },
): Promise<Rotation> {
  const { name, role, identity: path } = config;
  const oldFile = oldIdentityFile(path);
  const present = await readSecrets(path, name, role, passphrase);
  const known = entryOf(roster, name)?.key;
  if (present.identity.publicKey === known) {
    const next = newSecrets(name, role, random, present.storageKey);
    await writePrivateFile(oldFile, await readPrivateFile(path, 'identity'), { replace: true });
    await writeSecrets(path, next, passphrase, random, { replace: true });
    return { succession: createSuccession(present.identity, next.identity, now), oldFile, repeated: false };
  }
  const before = (await exists(oldFile)) ? await readSecrets(oldFile, name, role, passphrase) : undefined;
  if (before?.identity.publicKey !== known || before === undefined)
    throw new SealsumError('identity_invalid', `${config.roster} does not name the key of ${path}`, {
      field: 'identity',
    });
  return { succession: createSuccession(before.identity, present.identity, now), oldFile, repeated: true };
}

/** Seals a party's identity, and the one before where it is kept, under another passphrase. @throws SealsumError passphrase_wrong, identity_invalid */
export async function changePassphrase(
  { name, role, identity: path, passphraseFile }: PartyConfig,
  passphrase: string,
  next: string,
  random: RandomBytes,
): Promise<void> {
  const files = [path, ...((await exists(oldIdentityFile(path))) ? [oldIdentityFile(path)] : [])];
  const opened: { file: string; secrets: Awaited<ReturnType<typeof readSecrets>> }[] = [];
  for (const file of files) opened.push({ file, secrets: await readSecrets(file, name, role, passphrase) });
  // The new passphrase lies beside the old one before anything needs it.
  const waiting = passphraseFile === undefined ? undefined : `${passphraseFile}.new`;
  if (waiting !== undefined) await writePrivateFile(waiting, `${next}\n`, { replace: true });
  for (const { file, secrets } of opened) await writeSecrets(file, secrets, next, random, { replace: true });
  if (waiting === undefined || passphraseFile === undefined) return;
  await rename(waiting, passphraseFile).catch((cause: unknown) => {
    throw new SealsumError(
      'config_invalid',
      `the new passphrase is in ${waiting} and cannot take its place (${reasonOf(cause)}): rename it to ${passphraseFile}`,
      { field: 'passphrase_file', cause },
    );
  });
}
