/** Reading an audit log as somebody who believes nobody: every entry's form, place in the chain and signature. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { Party } from '../protocol/identity.ts';
import { fingerprintSchema } from '../protocol/identity.ts';
import { digestSchema } from '../protocol/message-parts.ts';
import { optional } from '../protocol/optional.ts';
import { createParties, type Parties } from '../protocol/parties.ts';
import { objectDigest, verifyObject } from '../protocol/signed.ts';
import type { AuditEntry } from './audit.ts';
import { beforeFirst } from './audit-log.ts';

/** An entry that somebody has noted, which an honest log leads to for ever. */
export interface NotedEntry {
  readonly sequence: number;
  readonly hash: string;
}

export interface VerifiedLog {
  /** How many. */
  readonly entries: number;
  /** The numbers of the first and the last one; 0 for an empty log. */
  readonly first: number;
  readonly last: number;
  /** What the first one names as its predecessor: 64 zeros for entry 1, else the hash of one that is no longer kept. */
  readonly anchor: string;
  /** The last one's hash; 64 zeros for an empty log. */
  readonly head: string;
}

const entrySchema: z.ZodType<AuditEntry> = z.strictObject({
  sequence: z.number().int().min(1),
  at: z.string(),
  body: z.strictObject({
    type: z.string(),
    job: optional(z.string()),
    round: optional(z.number()),
    owner: optional(z.string()),
    details: optional(z.record(z.string(), z.union([z.string(), z.number()]))),
  }),
  previous: digestSchema,
  hash: digestSchema,
  key: fingerprintSchema,
  signature: z.string(),
});

/**
 * Checks that entries are a chain without a gap, each one signed by the party.
 *
 * That is all that a log can prove by itself: whoever holds it can leave out what came last. An entry noted at another time, by
 * another person, is proof against that.
 *
 * @param entries in their order; what is not even an entry is refused like a wrong one
 * @param keys all keys of the party, as `parties.keysOf(name)` gives them
 * @throws SealsumError log_broken naming the entry and what is wrong with it
 */
export async function verifyLog(
  entries: AsyncIterable<unknown> | Iterable<unknown>,
  keys: readonly Party[],
  noted?: NotedEntry,
): Promise<VerifiedLog> {
  const [present, ...earlier] = keys;
  if (present === undefined) throw broken('there is no key to check it with');
  const parties = createParties([present], earlier);
  let first: AuditEntry | undefined;
  let last: AuditEntry | undefined;
  let count = 0;
  for await (const each of entries) {
    const entry = parseEntry(each, last);
    requireFollows(entry, last);
    requireSigned(entry, parties, present);
    if (entry.sequence === noted?.sequence && entry.hash !== noted.hash)
      throw broken(`entry ${entry.sequence} is another than the one that was noted`);
    first ??= entry;
    last = entry;
    count += 1;
  }
  if (noted !== undefined) requireReaches(noted, first, last);
  return {
    entries: count,
    first: first?.sequence ?? 0,
    last: last?.sequence ?? 0,
    anchor: first?.previous ?? beforeFirst,
    head: last?.hash ?? beforeFirst,
  };
}

function broken(what: string): SealsumError {
  return new SealsumError('log_broken', `the audit log: ${what}`);
}

function parseEntry(each: unknown, last: AuditEntry | undefined): AuditEntry {
  const parsed = entrySchema.safeParse(each);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  const after = last === undefined ? 'the first entry' : `the entry after ${last.sequence}`;
  throw broken(`${after} is not in the form of one${field === '' ? '' : `: ${field}`}`);
}

function requireFollows({ sequence, previous }: AuditEntry, last: AuditEntry | undefined): void {
  if (last === undefined) {
    if (sequence === 1 && previous !== beforeFirst) throw broken('entry 1 names an entry before it');
    return;
  }
  if (sequence <= last.sequence) throw broken(`entry ${sequence} comes after entry ${last.sequence}: out of order`);
  if (sequence !== last.sequence + 1)
    throw broken(
      sequence === last.sequence + 2
        ? `entry ${last.sequence + 1} is missing`
        : `entries ${last.sequence + 1} to ${sequence - 1} are missing`,
    );
  if (previous !== last.hash) throw broken(`entry ${sequence} does not follow from entry ${last.sequence}`);
}

function requireSigned(entry: AuditEntry, parties: Parties, { name, role }: Party): void {
  const { hash, signature, ...said } = entry;
  if (objectDigest('audit entry', said) !== hash)
    throw broken(`entry ${entry.sequence} was changed: its hash is that of another content`);
  if (!parties.keysOf(name).some(({ fingerprint }) => fingerprint === entry.key))
    throw broken(`entry ${entry.sequence} names a key that is none of the party's`);
  try {
    verifyObject(parties, { name, role }, 'audit entry', said, { party: name, key: entry.key, value: signature });
  } catch (cause) {
    if (!(cause instanceof SealsumError)) throw cause;
    throw new SealsumError('log_broken', `the audit log: the signature of entry ${entry.sequence} does not match`, {
      cause,
    });
  }
}

function requireReaches({ sequence }: NotedEntry, first: AuditEntry | undefined, last: AuditEntry | undefined): void {
  if (first === undefined || last === undefined) throw broken(`it is empty, and entry ${sequence} was noted`);
  if (sequence > last.sequence) throw broken(`it ends with entry ${last.sequence}, and entry ${sequence} was noted`);
  if (sequence < first.sequence)
    throw broken(`it begins with entry ${first.sequence}, so that nothing can be said of entry ${sequence}`);
}
