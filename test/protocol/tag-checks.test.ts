/** What is in a sum, told by its tags: every way in which it is found not to be the contributions that it should be. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import { pack, unpack } from '../../src/encoding/packing.ts';
import type { Plan } from '../../src/encoding/plan.ts';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import {
  checkTags,
  createTagSecret,
  expectedTags,
  type TagContext,
  type TagKey,
  type TagSecret,
  tagOf,
  tagsOf,
} from '../../src/protocol/tags.ts';
import { moduliFor, ownerSlotsFor, plansWithTags } from '../encoding/generators.ts';

const test = suite('checks of tags');

const runs = process.env.SLOW === undefined ? 200 : 5000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const contextOf = (round: number): TagContext => ({
  job: sha256('job'),
  round,
  roundDigest: sha256(`round ${round}`),
});

const secretOf = (name: string): TagSecret => createTagSecret(createHmac('sha256', 'seed of').update(name).digest());
const modelOwner = secretOf('model owner');

/** A key for each owner, as the model owner has them. */
function keysOf(owners: readonly OwnerId[]): ReadonlyMap<OwnerId, TagKey> {
  return new Map(owners.map((owner) => [owner, modelOwner.agree(secretOf(owner).publicKey, owner)]));
}

const roster = Array.from({ length: 9 }, (_, index) => ownerIdSchema.parse(`owner-${index}`));
const allKeys = keysOf(roster);
const context = contextOf(7);
const earlier = [5, 6].map(contextOf);

function addPacked(contributions: readonly (readonly bigint[])[], n: bigint): bigint[] {
  return (contributions[0] ?? []).map((_, index) =>
    contributions.reduce((sum, each) => (sum + (each[index] ?? 0n)) % n, 0n),
  );
}

/** One round as it should go: every owner's slots, packed with its tags. */
interface Round {
  readonly plan: Plan;
  readonly n: bigint;
  readonly keys: ReadonlyMap<OwnerId, TagKey>;
  readonly vectors: readonly bigint[][];
  readonly packed: readonly (readonly bigint[])[];
}

const rounds: fc.Arbitrary<Round> = plansWithTags
  .filter(({ owners }) => owners >= 2)
  .chain((plan) =>
    fc.tuple(
      fc.constant(plan),
      moduliFor(plan),
      fc.array(ownerSlotsFor(plan), { minLength: 2, maxLength: plan.owners }),
    ),
  )
  .map(([plan, n, vectors]) => {
    const keys = new Map([...allKeys].slice(0, vectors.length));
    return { plan, n, keys, vectors, packed: packAll(plan, n, keys, vectors, context) };
  });

function packAll(
  plan: Plan,
  n: bigint,
  keys: ReadonlyMap<OwnerId, TagKey>,
  vectors: readonly bigint[][],
  of: TagContext,
): bigint[][] {
  return [...keys.values()].map((key, owner) => pack(plan, vectors[owner] ?? [], n, tagsOf(key, of, plan.ciphertexts)));
}

/** What the model owner does with the sum of these contributions. */
function openSum({ plan, n, keys }: Round, contributions: readonly (readonly bigint[])[]): bigint[] {
  return unpack(plan, addPacked(contributions, n), n, keys.size, (sums) => {
    checkTags(sums, keys, context, earlier);
  });
}

/** Which of `of` ciphertexts, as a message tells it. */
const all = (of: number): string => `${of} of ${of} ciphertexts (${of === 1 ? '0' : `0–${of - 1}`})`;

function assertRefused(work: () => unknown, places: string, why: string, first = 0): void {
  assert.throws(work, {
    code: 'tag_mismatch',
    field: `tag ${first}`,
    message: `the tags of ${places} do not match: ${why}; the sum is refused and the round must be run anew`,
  });
}

const someone = fc.nat({ max: 8 });

test('the sum of tagged contributions opens to the exact sum, with the exact tags', () => {
  fc.assert(
    fc.property(rounds, (round) => {
      const { plan, n, keys, vectors, packed } = round;
      const sum = (vectors[0] ?? []).map((_, slot) => vectors.reduce((total, each) => total + (each[slot] ?? 0n), 0n));
      assert.deepEqual(openSum(round, packed), sum);
      unpack(plan, addPacked(packed, n), n, keys.size, (sums) => {
        assert.deepEqual(sums, expectedTags(keys.values(), context, plan.ciphertexts));
        assert.deepEqual(
          sums,
          sums.map((_, index) => [...keys.values()].reduce((total, key) => total + tagOf(key, context, index), 0n)),
        );
      });
    }),
    { numRuns: runs },
  );
});

test('a contribution that is missing is told by its owner, whether all of it or some ciphertexts', () => {
  fc.assert(
    fc.property(rounds, someone, fc.nat(), (round, any, anywhere) => {
      const { packed, plan } = round;
      const victim = any % packed.length;
      assertRefused(
        () => openSum(round, packed.toSpliced(victim, 1)),
        all(plan.ciphertexts),
        `owner-${victim}'s contribution is missing from them`,
      );
      const index = anywhere % plan.ciphertexts;
      assertRefused(
        () => openSum(round, packed.with(victim, (packed[victim] ?? []).with(index, 0n))),
        `1 of ${plan.ciphertexts} ciphertexts (${index})`,
        `owner-${victim}'s contribution is missing from them`,
        index,
      );
    }),
    { numRuns: runs },
  );
});

test('a contribution that is there twice is told by its owner', () => {
  fc.assert(
    fc.property(rounds, someone, (round, any) => {
      const { packed, plan } = round;
      const victim = any % packed.length;
      assertRefused(
        () => openSum(round, [...packed, packed[victim] ?? []]),
        all(plan.ciphertexts),
        `owner-${victim}'s contribution is in them twice`,
      );
    }),
    { numRuns: runs },
  );
});

test("a contribution in another's place, with which the count stays right, is told by both owners", () => {
  fc.assert(
    fc.property(rounds, someone, someone, (round, any, other) => {
      const { packed, plan } = round;
      const victim = any % packed.length;
      const repeated = (victim + 1 + (other % (packed.length - 1))) % packed.length;
      assertRefused(
        () => openSum(round, packed.with(victim, packed[repeated] ?? [])),
        all(plan.ciphertexts),
        `owner-${repeated}'s contribution is in them in place of owner-${victim}'s`,
      );
    }),
    { numRuns: runs },
  );
});

test('a contribution of an earlier round is told by owner and round, in place of the due one or beside all', () => {
  fc.assert(
    fc.property(rounds, someone, someone, fc.nat({ max: 1 }), (round, any, other, which) => {
      const { packed, plan, n, keys, vectors } = round;
      const victim = any % packed.length;
      const replayer = other % packed.length;
      const past = earlier[which];
      assert.ok(past !== undefined);
      const replayed = packAll(plan, n, keys, vectors, past)[replayer] ?? [];
      assertRefused(
        () => openSum(round, packed.with(victim, replayed)),
        all(plan.ciphertexts),
        `owner-${replayer}'s contribution to round ${past.round} is in them in place of owner-${victim}'s`,
      );
      assertRefused(
        () => openSum(round, [...packed, replayed]),
        all(plan.ciphertexts),
        `owner-${replayer}'s contribution to round ${past.round} is in them as well`,
      );
    }),
    { numRuns: runs },
  );
});

test('a contribution of a round that is not told, of another job or of another descriptor of the round is refused', () => {
  const strangers: TagContext[] = [
    contextOf(4),
    { ...context, job: sha256('another job') },
    { ...context, roundDigest: sha256('another descriptor') },
    { ...context, round: 8 },
  ];
  fc.assert(
    fc.property(rounds, someone, fc.constantFrom(...strangers), (round, any, stranger) => {
      const { packed, plan, n, keys, vectors } = round;
      const victim = any % packed.length;
      const foreign = packAll(plan, n, keys, vectors, stranger)[victim] ?? [];
      assertRefused(
        () => openSum(round, packed.with(victim, foreign)),
        all(plan.ciphertexts),
        `they are not those of the ${packed.length} contributions that the manifest names`,
      );
    }),
    { numRuns: runs },
  );
});

test("ciphertexts in one another's places are told, of one owner or of the sum", () => {
  fc.assert(
    fc.property(
      rounds.filter(({ plan }) => plan.ciphertexts >= 2),
      someone,
      fc.nat(),
      fc.nat(),
      (round, any, place, distance) => {
        const { packed, plan, n, keys } = round;
        const count = plan.ciphertexts;
        const one = place % count;
        const two = (one + 1 + (distance % (count - 1))) % count;
        const [i, j] = [Math.min(one, two), Math.max(one, two)];
        const exchange = (each: readonly bigint[]): bigint[] => each.with(i, each[j] ?? 0n).with(j, each[i] ?? 0n);
        const victim = any % packed.length;
        const places = `2 of ${count} ciphertexts (${j === i + 1 ? `${i}–${j}` : `${i}, ${j}`})`;
        // Slots of the last ciphertext may be free, and those of others not: the sums of the tags alone.
        const tags = [...keys.values()].map((key) => tagsOf(key, context, count));
        const checkSums = (contributions: readonly (readonly bigint[])[]): void => {
          checkTags(addPacked(contributions, 1n << 80n), keys, context, earlier);
        };
        assertRefused(
          () => {
            checkSums(tags.with(victim, exchange(tags[victim] ?? [])));
          },
          places,
          `those of owner-${victim}'s contribution stand in one another's places`,
          i,
        );
        assertRefused(
          () => {
            checkSums(tags.map(exchange));
          },
          places,
          "they stand in one another's places",
          i,
        );
        const wrong = packed.with(victim, exchange(packed[victim] ?? []));
        const code = j === count - 1 ? /^(tag_mismatch|slot_overflow)$/ : /^tag_mismatch$/;
        assert.throws(
          () =>
            unpack(plan, addPacked(wrong, n), n, keys.size, (sums) => {
              checkTags(sums, keys, context);
            }),
          {
            code,
          },
        );
      },
    ),
    { numRuns: runs },
  );
});

test('any other change of any sum is refused', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(),
      fc.oneof(fc.bigInt({ min: 1n, max: 1n << 68n }), fc.constantFrom(1n, 2n, 1n << 64n)),
      fc.boolean(),
      (owners, count, anywhere, by, down) => {
        const keys = new Map([...allKeys].slice(0, owners));
        const sums = expectedTags(keys.values(), context, count);
        checkTags(sums, keys, context, earlier);
        const index = anywhere % count;
        const changed = sums.with(index, (sums[index] ?? 0n) + (down ? -by : by));
        assertRefused(
          () => {
            checkTags(changed, keys, context, earlier);
          },
          `1 of ${count} ciphertexts (${index})`,
          `they are not those of the ${owners} contributions that the manifest names`,
          index,
        );
      },
    ),
    { numRuns: runs },
  );
});

test('two contributions missing are not taken for one, and many places are told in short', () => {
  const count = 40;
  const expected = expectedTags(allKeys.values(), context, count);
  const [a, b] = [...allKeys.values()].map((key) => tagsOf(key, context, count));
  const odd = (index: number): boolean => index % 2 === 1 && index !== 3;
  const sums = expected.map((sum, index) => (odd(index) ? sum - (a?.[index] ?? 0n) - (b?.[index] ?? 0n) : sum));
  assertRefused(
    () => {
      checkTags(sums, allKeys, context);
    },
    '19 of 40 ciphertexts (1, 5, 7, 9, 11, 13, 15, 17, …)',
    'they are not those of the 9 contributions that the manifest names',
    1,
  );
  // One owner here and another there: each alone explains only a part.
  const split = expected.map((sum, index) => sum - ((index < 3 ? a?.[index] : index < 5 ? b?.[index] : 0n) ?? 0n));
  assertRefused(
    () => {
      checkTags(split, allKeys, context);
    },
    '5 of 40 ciphertexts (0–4)',
    'they are not those of the 9 contributions that the manifest names',
  );
});

test.run();
