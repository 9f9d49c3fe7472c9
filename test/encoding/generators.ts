/** What the properties of this folder draw from: doubles whose exact value is known, plans, and slots within their bounds. */
import fc from 'fast-check';
import { createPlan, ownerBound, type Plan } from '../../src/encoding/plan.ts';

/** Runs of each property; SLOW=1 asks for many more. */
export const runs: number = process.env.SLOW === undefined ? 1000 : 20_000;

/** A double together with the rational it denotes, made from that rational rather than taken apart. */
export interface KnownDouble {
  readonly value: number;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** mantissa × 2^exponent as a double; exact for |mantissa| < 2^53 and −1074 ≤ exponent ≤ 971. */
export function knownDouble(mantissa: number, exponent: number): KnownDouble {
  const shift = 1n << BigInt(Math.abs(exponent));
  return {
    value: mantissa * 2 ** exponent,
    numerator: exponent < 0 ? BigInt(mantissa) : BigInt(mantissa) * shift,
    denominator: exponent < 0 ? shift : 1n,
  };
}

const mantissas = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -1000, max: 1000 }),
  fc.constantFrom(2 ** 53 - 1, 1 - 2 ** 53, 2 ** 52, 0, 1, -1),
);

/** Any finite double, the everyday sizes as likely as the extreme ones. */
export const doubles: fc.Arbitrary<KnownDouble> = fc
  .tuple(
    mantissas,
    fc.oneof(
      fc.integer({ min: -1074, max: 971 }),
      fc.integer({ min: -60, max: 10 }),
      fc.constantFrom(-1074, -1022, -53, -52, -1, 0, 971),
    ),
  )
  .map(([mantissa, exponent]) => knownDouble(mantissa, exponent));

/** Any finite double above 0. */
export const scales: fc.Arbitrary<KnownDouble> = doubles
  .filter(({ value }) => value !== 0)
  .map(({ value, numerator, denominator }) =>
    value < 0 ? { value: -value, numerator: -numerator, denominator } : { value, numerator, denominator },
  );

/** Everyday scales that are not powers of two, and some that are. */
export const everydayScales: fc.Arbitrary<KnownDouble> = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: -20, max: 20 }))
  .map(([mantissa, exponent]) => knownDouble(mantissa, exponent));

/** Small plans of every shape: one slot or many to a ciphertext, the last one full or not, with noise and tags or without. */
export const plans: fc.Arbitrary<Plan> = fc
  .record({
    keyBits: fc.integer({ min: 64, max: 400 }),
    length: fc.integer({ min: 1, max: 20 }),
    owners: fc.integer({ min: 1, max: 9 }),
    maxWeight: fc.bigInt({ min: 1n, max: 1n << 12n }),
    valueBound: fc.bigInt({ min: 1n, max: 1n << 20n }),
    scale: fc.constant(2 ** 10),
    weightUnit: fc.bigInt({ min: 1n, max: 1n << 20n }),
    noiseBound: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 1n << 30n })),
    moreBits: fc.integer({ min: 0, max: 10 }),
    tags: fc.boolean(),
  })
  .map(({ moreBits, ...rest }) => {
    // The tags of nine owners take 69 bits.
    const request = { ...rest, keyBits: rest.keyBits + (rest.tags ? 69 : 0) };
    const least = createPlan(request);
    return createPlan({ ...request, slotBits: least.slotBits + moreBits });
  });

/** Those of them that have tags. */
export const plansWithTags: fc.Arbitrary<Plan> = plans.filter(({ tags }) => tags);

/** A modulus of exactly the plan's key bits; the least and the greatest of them among those drawn. */
export function moduliFor(plan: Plan): fc.Arbitrary<bigint> {
  const least = 1n << BigInt(plan.keyBits - 1);
  return fc.oneof(fc.bigInt({ min: least, max: 2n * least - 1n }), fc.constantFrom(least, least + 1n, 2n * least - 1n));
}

/** The slots of one owner, drawn within its bounds, the bounds themselves often. */
export function ownerSlotsFor(plan: Plan): fc.Arbitrary<bigint[]> {
  return fc
    .tuple(
      ...Array.from({ length: plan.slots - 1 }, (_, index) => {
        const bound = ownerBound(plan, index + 1);
        return fc.oneof(fc.bigInt({ min: -bound, max: bound }), fc.constantFrom(bound, -bound, 0n));
      }),
    )
    .map((rest) => [1n, ...rest]);
}

/** The tags of one owner, the least and the greatest often; undefined where the plan has none. */
export function ownerTagsFor(plan: Plan): fc.Arbitrary<bigint[] | undefined> {
  const greatest = (1n << 64n) - 1n;
  const tag = fc.oneof(fc.bigInt({ min: 0n, max: greatest }), fc.constantFrom(0n, 1n, greatest));
  if (!plan.tags) return fc.constant(undefined);
  return fc.array(tag, { minLength: plan.ciphertexts, maxLength: plan.ciphertexts });
}
