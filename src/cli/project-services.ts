/** What the commands around projects and identities need from the world, and what they share. */
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { newPassphrase } from '../config/passphrase.ts';
import type { NewPassphrase } from '../config/project.ts';
import { type Roster, rosterDigest } from '../config/roster-file.ts';
import { spoken, spokenFingerprint } from '../config/spoken.ts';
import { systemTerminal, type Terminal } from '../config/terminal.ts';
import { isPartyUrl } from '../config/urls.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import { createParty, type Fingerprint, type Role } from '../protocol/identity.ts';
import { usageError } from './program.ts';

export interface ProjectServices {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes what is printed on standard output, without the newline at its end. */
  readonly print: (text: string) => void;
}

export const systemServices: ProjectServices = {
  clock: systemClock,
  random: systemRandom,
  terminal: systemTerminal,
  env: process.env,
  print: (text) => {
    console.log(text);
  },
};

export interface PassphraseOptions {
  readonly local?: boolean;
  readonly passphraseFile?: string;
}

export function withPassphraseOptions(command: Command): Command {
  return command
    .option('--local', 'seal with a random passphrase in a file beside the identity')
    .option('--no-local', 'seal with a passphrase that a person types or SEALSUM_PASSPHRASE holds')
    .option('--passphrase-file <file>', 'seal with the passphrase in a file, which the configuration then names');
}

/** How to seal what is new. @param local whether a random passphrase in a file will do unless something is said */
export async function chosenPassphrase(
  what: string,
  { local, passphraseFile }: PassphraseOptions,
  byDefault: { readonly local: boolean },
  { env, terminal }: ProjectServices,
): Promise<NewPassphrase> {
  if (passphraseFile !== undefined) {
    if (local === true) throw usageError('--local and --passphrase-file exclude each other');
    const file = resolve(passphraseFile);
    return { passphrase: await newPassphrase(what, { file, env, terminal }), file };
  }
  if (local ?? byDefault.local) return 'random';
  return { passphrase: await newPassphrase(what, { env, terminal }) };
}

/** The address of a party, without a slash at its end. */
export function parseUrl(text: string): string {
  if (!isPartyUrl(text)) throw new InvalidArgumentError('expected a URL such as https://sums.example.org:8080');
  return text.replace(/\/+$/, '');
}

/** A name on the command line. */
export function parseName(text: string): PartyId {
  const parsed = partyIdSchema.safeParse(text.trim());
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? 'expected a name');
}

/** A line of a table for people who compare. */
export interface Known {
  readonly name: PartyId;
  readonly role: Role;
  readonly fingerprint: Fingerprint;
}

export function knownParties({ parties }: Roster): Known[] {
  return parties.map(({ name, role, key }) => createParty(name, role, key));
}

/** Names, roles and fingerprints, and the digest of the whole roster: what is read out and compared by telephone. */
export function fingerprintTable(roster: Roster): string {
  const known = knownParties(roster);
  const width = Math.max(...known.map(({ name }) => name.length), 'roster'.length);
  const lines = known.map(
    ({ name, role, fingerprint }) => `${name.padEnd(width)}  ${role.padEnd(11)}  ${spokenFingerprint(fingerprint)}`,
  );
  const digest = spoken(Buffer.from(rosterDigest(roster), 'hex'));
  return [...lines, `${'roster'.padEnd(width)}  ${'all of it'.padEnd(11)}  ${digest}`].join('\n');
}

/** The same for machines. */
export function fingerprintJson(roster: Roster): {
  readonly roster_digest: string;
  readonly parties: readonly (Known & { readonly spoken: string })[];
} {
  return {
    roster_digest: rosterDigest(roster),
    parties: knownParties(roster).map(({ name, role, fingerprint }) => ({
      name,
      role,
      fingerprint,
      spoken: spokenFingerprint(fingerprint),
    })),
  };
}

/** An argument as a shell takes it. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
