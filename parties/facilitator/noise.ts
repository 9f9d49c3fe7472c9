/**
 * The noise of differential privacy where the facilitator adds it: for every round, block by block of the product, discrete
 * Gaussian noise for every slot but the count, encrypted and kept before it is multiplied in. Whatever happens afterwards, the
 * same noise is in the round's aggregate: two aggregates of one round with noise of their own would tell more than one.
 */
import { packOne } from '../../src/encoding/packing.ts';
import { encryptMany } from '../../src/paillier/encrypt-many.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { drawNoise } from '../../src/privacy/draw-noise.ts';
import { rational } from '../../src/privacy/rational.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { planFromWire } from '../../src/protocol/wire-plan.ts';
import type { Spreading } from '../../src/threads/spread.ts';

/** Draws noise for the ciphertexts from number `first` on, `count` of them, and encrypts it. @throws SealsumError aborted */
export type EncryptNoise = (first: number, count: number, spreading: Spreading) => Promise<Uint8Array>;

/** @returns undefined where the facilitator adds none */
export function noiseOf(
  { noise, plan: wire }: JobDescriptor,
  encryptor: Encryptor,
  random: RandomBytes,
): EncryptNoise | undefined {
  if (noise?.place !== 'facilitator') return undefined;
  const plan = planFromWire(wire);
  const variance = rational(BigInt(noise.variance));
  const { publicKey } = encryptor;
  return async (first, count, spreading) => {
    const { slots, slotsPerCiphertext } = plan;
    const from = first * slotsPerCiphertext;
    const draws = await drawNoise(Math.min(count * slotsPerCiphertext, slots - from), variance, random, spreading);
    // The very first slot counts contributors, which the manifest names.
    if (first === 0) draws[0] = 0n;
    const plaintexts = Array.from({ length: count }, (_, at) => {
      const digits = draws.slice(at * slotsPerCiphertext, (at + 1) * slotsPerCiphertext);
      return packOne(plan, first + at, digits, publicKey.n);
    });
    return encryptMany(encryptor, plaintexts, spreading);
  };
}
