/**
 * Tags: 64-bit integers that every owner puts above the slots of its ciphertexts, one per ciphertext, from a pseudorandom
 * function whose key only it and the model owner have. Their sums come out of the decrypted aggregate, so the model owner,
 * who can compute every contributor's tags, sees whether each contribution is in the sum once, whole, and of this round.
 *
 * The key comes of X25519 (RFC 7748) through HKDF-SHA-256 (RFC 5869), the tags of HMAC-SHA-256 (RFC 2104). Who leaves out,
 * repeats or exchanges a contribution must guess 64 bits for every ciphertext. Tags tell which contributions are in a sum and
 * not what else is: that an owner lied about its values, or that the facilitator added to the slots what the public key lets
 * anybody add, they do not show.
 */
import { SealsumError } from '../errors.ts';
import { bigintToBytes, bytesToBigint, concatBytes, utf8 } from '../paillier/bytes.ts';
import { fromBase64Url, toBase64Url } from '../platform/bytes.ts';
import { type SharingKey, x25519Key } from '../platform/curves.ts';
import { hkdfSha256, hmacSha256, type SecretKey, secretKey } from '../platform/hashes.ts';
import type { OwnerId } from './identifiers.ts';

declare const brand: unique symbol;

/** What one data owner and the model owner share; its bytes are 32 and show in no log. */
export type TagKey = SecretKey & { readonly [brand]: 'TagKey' };

/** One side's half of every tag key that it agrees on. */
export interface TagSecret {
  /** X25519, 32 bytes in canonical base64url. */
  readonly publicKey: string;
  /**
   * The key shared with the other side; both get the same.
   *
   * @param owner the data owner of the two, on both sides, so that no other owner's public key gives the same tag key
   * @throws SealsumError identity_invalid for a public key that is not canonical or of small order
   */
  agree(otherPublicKey: string, owner: OwnerId): TagKey;
}

/** What tags are of: they are different in every other job and round. */
export interface TagContext {
  /** Digest of the job's descriptor: SHA-256 in lowercase hexadecimal. */
  readonly job: string;
  /** The round's number, from 1. */
  readonly round: number;
  /** Digest of the round's descriptor: SHA-256 in lowercase hexadecimal. */
  readonly roundDigest: string;
}

/** 2^255 − 19: coordinates at or above it are not canonical. */
const fieldPrime = (1n << 255n) - 19n;

/**
 * One side's X25519 secret, from which the keys of tags are agreed on (RFC 7748).
 *
 * @param seed 32 random bytes, clamped as RFC 7748 says
 * @throws SealsumError identity_invalid for another length
 */
export function createTagSecret(seed: Uint8Array): TagSecret {
  if (seed.length !== 32)
    throw new SealsumError('identity_invalid', 'the seed of a tag secret: expected 32 bytes', { field: 'seed' });
  const secret = x25519Key(seed);
  return {
    publicKey: toBase64Url(secret.publicKey),
    agree: (otherPublicKey, owner) => agree(secret, otherPublicKey, owner),
  };
}

function agree(secret: SharingKey, otherPublicKey: string, owner: OwnerId): TagKey {
  const refuse = (why: string, cause?: unknown): SealsumError =>
    new SealsumError('identity_invalid', `the tag key of the other side: ${why}`, { field: 'tag_key', cause });
  const other = fromBase64Url(otherPublicKey);
  if (other.length !== 32 || toBase64Url(other) !== otherPublicKey) throw refuse('expected 32 bytes in base64url');
  if (bytesToBigint(other.toReversed()) >= fieldPrime)
    throw refuse('expected a coordinate below 2^255 − 19, in 255 bits');
  let shared: Uint8Array;
  try {
    shared = secret.share(other);
  } catch (cause) {
    throw refuse('a point of small order, with which no secret can be shared', cause);
  }
  const keys = [secret.publicKey, other].sort((a, b) => (bytesToBigint(a) < bytesToBigint(b) ? -1 : 1));
  const info = concatBytes(utf8('sealsum tag key v1'), ...keys, utf8(owner));
  return secretKey(hkdfSha256(shared, info)) as TagKey;
}

/**
 * The tag of one ciphertext, in [0, 2^64).
 *
 * @param index of the ciphertext within its contribution, from 0
 * @throws SealsumError message_invalid where the context is not as it must be
 */
export function tagOf(key: TagKey, context: TagContext, index: number): bigint {
  return tagger(context)(key, index);
}

/** The tags of a whole contribution of `count` ciphertexts. @throws SealsumError message_invalid */
export function tagsOf(key: TagKey, context: TagContext, count: number): bigint[] {
  return expectedTags([key], context, count);
}

/** What the tags of these contributors sum to, per ciphertext. @throws SealsumError message_invalid */
export function expectedTags(keys: Iterable<TagKey>, context: TagContext, count: number): bigint[] {
  const tag = tagger(context);
  const sums = new Array<bigint>(count).fill(0n);
  for (const key of keys)
    for (let index = 0; index < count; index += 1) sums[index] = (sums[index] ?? 0n) + tag(key, index);
  return sums;
}

/**
 * Refuses a sum of which the tags are not those of the contributors, and says what else it contains where one change explains
 * every difference: a contribution that is missing, there twice, in another's place, of an earlier round, or out of order.
 *
 * @param sums of the tags per ciphertext, as they were decrypted
 * @param contributors every owner that the manifest names, with its key
 * @param earlier rounds whose contributions may have been replayed; they only make the message clearer
 * @throws SealsumError tag_mismatch with field `tag j`, j the first ciphertext that differs, counted from 0
 */
export function checkTags(
  sums: readonly bigint[],
  contributors: ReadonlyMap<OwnerId, TagKey>,
  context: TagContext,
  earlier: readonly TagContext[] = [],
): void {
  const expected = expectedTags(contributors.values(), context, sums.length);
  const differences = sums
    .map((sum, index) => ({ index, difference: sum - (expected[index] ?? 0n) }))
    .filter(({ difference }) => difference !== 0n);
  const [first] = differences;
  if (first === undefined) return;
  const contributions = (of: TagContext, to = ''): Contribution[] => {
    const tag = tagger(of);
    return [...contributors].map(([owner, key]) => ({
      owner,
      name: `${owner}'s contribution${to}`,
      tag: (index) => tag(key, index),
    }));
  };
  const due = contributions(context);
  const replayed = earlier.flatMap((each) => contributions(each, ` to round ${each.round}`));
  const why =
    explainedByContributions(first, differences, due, replayed) ??
    explainedByOrder(differences, due, expected) ??
    `they are not those of the ${contributors.size} contributions that the manifest names`;
  const places = `${differences.length} of ${sums.length} ciphertexts (${ranges(differences.map(({ index }) => index))})`;
  throw new SealsumError(
    'tag_mismatch',
    `the tags of ${places} do not match: ${why}; the sum is refused and the round must be run anew`,
    {
      field: `tag ${first.index}`,
    },
  );
}

/** Where a sum of tags is not the expected one, and by how much; never 0. */
interface Difference {
  readonly index: number;
  readonly difference: bigint;
}

/** What may be in a sum, or missing from it. */
interface Contribution {
  readonly owner: OwnerId;
  readonly name: string;
  readonly tag: (index: number) => bigint;
}

/** One contribution too many, one too few, or one in another's place, the same at every difference. */
function explainedByContributions(
  first: Difference,
  differences: readonly Difference[],
  due: readonly Contribution[],
  replayed: readonly Contribution[],
): string | undefined {
  const byTag = new Map([...replayed, ...due].map((each) => [each.tag(first.index), each]));
  for (const missing of [undefined, ...due]) {
    const surplus = first.difference + (missing?.tag(first.index) ?? 0n);
    const added = byTag.get(surplus);
    if (surplus !== 0n && added === undefined) continue;
    const explains = differences.every(
      (each) => each.difference === (added?.tag(each.index) ?? 0n) - (missing?.tag(each.index) ?? 0n),
    );
    if (!explains) continue;
    if (added === undefined) return missing && `${missing.name} is missing from them`;
    if (missing !== undefined) return `${added.name} is in them in place of ${missing.owner}'s`;
    return `${added.name} is in them ${due.includes(added) ? 'twice' : 'as well'}`;
  }
  return undefined;
}

/** Every difference is that of another ciphertext's tag in the place, of one contribution's or of all of them. */
function explainedByOrder(
  differences: readonly Difference[],
  due: readonly Contribution[],
  expected: readonly bigint[],
): string | undefined {
  const outOfOrder = (tag: (index: number) => bigint): boolean => {
    const tags = new Set(differences.map(({ index }) => tag(index)));
    return differences.every(({ index, difference }) => tags.has(tag(index) + difference));
  };
  if (outOfOrder((index) => expected[index] ?? 0n)) return "they stand in one another's places";
  const disordered = due.find(({ tag }) => outOfOrder(tag));
  return disordered && `those of ${disordered.name} stand in one another's places`;
}

/** Ascending integers for people, such as `0–3, 7`; at most eight stretches of them. */
function ranges(indices: readonly number[]): string {
  const stretches: { from: number; to: number }[] = [];
  for (const index of indices) {
    const last = stretches.at(-1);
    if (last?.to === index - 1) last.to = index;
    else stretches.push({ from: index, to: index });
  }
  const told = stretches.slice(0, 8).map(({ from, to }) => (from === to ? `${from}` : `${from}–${to}`));
  return stretches.length > told.length ? `${told.join(', ')}, …` : told.join(', ');
}

type Tagger = (key: TagKey, index: number) => bigint;

/** The first 64 bits of HMAC-SHA-256 over label, job digest, round, round digest and index, each of a fixed width. */
function tagger({ job, round, roundDigest }: TagContext): Tagger {
  const message = concatBytes(
    utf8('sealsum tag v1'),
    digestBytes('job', job),
    new Uint8Array(4),
    digestBytes('roundDigest', roundDigest),
    new Uint8Array(4),
  );
  const view = new DataView(message.buffer);
  writeCount(view, 'round', round, 46);
  return (key, index) => {
    writeCount(view, 'index', index, message.length - 4);
    return new DataView(hmacSha256(key, message).buffer).getBigUint64(0);
  };
}

function digestBytes(field: string, digest: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(digest))
    throw new SealsumError('message_invalid', `${field}: expected SHA-256 in lowercase hexadecimal`, { field });
  return bigintToBytes(BigInt(`0x${digest}`), 32);
}

function writeCount(message: DataView, field: string, value: number, offset: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
    throw new SealsumError('message_invalid', `${field}: expected an integer of 32 bits`, { field });
  message.setUint32(offset, value);
}
