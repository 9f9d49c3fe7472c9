/**
 * The roster file: everybody who belongs to a project, with name, role and public key. It is the same on all machines, and
 * people compare its digest; nothing in it is secret.
 */
import { stringify } from 'smol-toml';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import { createParty, type Role, roles } from '../protocol/identity.ts';
import { createParties, type Parties } from '../protocol/parties.ts';
import { canonicalDigest } from '../protocol/signed.ts';
import { readTextFile, type WriteOptions, writePublicFile } from './files.ts';
import { checkToml, parseToml } from './toml-file.ts';
import { partyUrlSchema } from './urls.ts';

export interface RosterEntry {
  readonly name: PartyId;
  readonly role: Role;
  /** The 32 bytes of the Ed25519 public key in base64url. */
  readonly key: string;
  /** The keys before, newest first: what they signed stays signed, and they sign nothing new. */
  readonly previous: readonly string[];
  /** Where a facilitator is reached by the others. */
  readonly url?: string;
}

/** Who belongs: what a roster.toml names. */
export interface Roster {
  /** Facilitators first, then model owners, then data owners; by name among themselves. */
  readonly parties: readonly RosterEntry[];
}

export const rosterEntrySchema: z.ZodType<RosterEntry> = z.strictObject({
  name: partyIdSchema,
  role: z.enum(roles),
  key: z.string(),
  previous: z.array(z.string()).default([]),
  url: partyUrlSchema.exactOptional(),
});

const nobody = 'nobody is named; get the present roster.toml';

const rosterSchema: z.ZodType<{ readonly party: readonly RosterEntry[] }> = z.strictObject({
  party: z
    .array(rosterEntrySchema, { error: ({ input }) => (input === undefined ? nobody : undefined) })
    .min(1, nobody),
});

const introduction = `# Everybody who belongs to this project, with public keys: nothing here is secret. It must be the same on all machines.
# Written by sealsum, which reads it again when it changes; compare it by telephone with: sealsum fingerprints ROSTER
`;

/** The roster of a roster.toml. @throws SealsumError config_invalid, identity_invalid, naming the file and the field */
export async function readRoster(path: string): Promise<Roster> {
  return parseRoster(await readTextFile(path, 'roster'), path);
}

/**
 * The roster of the text of a roster.toml.
 *
 * @param file names the text in errors
 * @throws SealsumError config_invalid, identity_invalid
 */
export function parseRoster(text: string, file: string): Roster {
  const { party } = checkToml(rosterSchema, parseToml(text, file), file);
  try {
    return createRoster(party);
  } catch (cause) {
    if (!(cause instanceof SealsumError)) throw cause;
    throw new SealsumError(cause.code, `${file}: ${cause.message}`, {
      cause,
      ...(cause.field === undefined ? {} : { field: cause.field }),
    });
  }
}

/** A roster of these parties. @throws SealsumError identity_invalid, config_invalid when they cannot stand together */
export function createRoster(entries: readonly RosterEntry[]): Roster {
  for (const { name, role, url } of entries)
    if (url !== undefined && role !== 'facilitator')
      throw new SealsumError('config_invalid', `${name} is a ${role}: only a facilitator has a url`, { field: 'url' });
  const roster = {
    parties: [...entries].sort(
      (left, right) =>
        roles.indexOf(left.role) - roles.indexOf(right.role) ||
        left.name.localeCompare(right.name, 'en', { numeric: true }),
    ),
  };
  partiesOf(roster);
  return roster;
}

export async function writeRoster(path: string, roster: Roster, options: WriteOptions): Promise<void> {
  const party = roster.parties.map(({ name, role, url, key, previous }) => ({
    name,
    role,
    ...(url === undefined ? {} : { url }),
    key,
    ...(previous.length === 0 ? {} : { previous }),
  }));
  await writePublicFile(path, `${introduction}\n${stringify({ party })}`, options);
}

/** The parties of a roster with all their keys. @throws SealsumError identity_invalid */
export function partiesOf({ parties }: Roster): Parties {
  return createParties(
    parties.map(({ name, role, key }) => createParty(name, role, key)),
    parties.flatMap(({ name, role, previous }) => previous.map((key) => createParty(name, role, key))),
  );
}

/** The entry of a name, if there is one. */
export function entryOf(roster: Roster, name: PartyId): RosterEntry | undefined {
  return roster.parties.find((entry) => entry.name === name);
}

/** SHA-256, in lowercase hexadecimal, of all that a roster says, however its file is written. */
export function rosterDigest(roster: Roster): string {
  const parties = [...roster.parties].sort((left, right) => (left.name < right.name ? -1 : 1));
  return canonicalDigest({ format: 'sealsum roster', version: 1, parties });
}
