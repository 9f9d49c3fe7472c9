/**
 * The noise of differential privacy where the facilitator adds it: for every round, block by block of the product, discrete
 * Gaussian noise for every slot but the count, encrypted and kept before it is multiplied in. Whatever happens afterwards, the
 * same noise is in the round's aggregate: two aggregates of one round with noise of their own would tell more than one.
 */
import { packOne } from '../../src/encoding/packing.ts';
import type { Plan } from '../../src/encoding/plan.ts';
import { encodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { sampleDiscreteGaussians } from '../../src/privacy/discrete-gaussian.ts';
import { rational } from '../../src/privacy/rational.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { planFromWire } from '../../src/protocol/wire-plan.ts';

/**
 * Draws noise for the ciphertexts from number `first` on, `count` of them, and encrypts it.
 *
 * @param pause awaited after every ciphertext, as rerandomiseBlock() does
 */
export type EncryptNoise = (first: number, count: number, pause: () => Promise<unknown>) => Promise<Uint8Array>;

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
  return async (first, count, pause) => {
    const ciphertexts: Ciphertext[] = [];
    for (let ciphertext = first; ciphertext < first + count; ciphertext += 1) {
      const draws = sampleDiscreteGaussians(slotsOf(plan, ciphertext), variance, random);
      // The very first slot counts contributors, which the manifest names.
      const digits = ciphertext === 0 ? [0n, ...draws.slice(1)] : draws;
      ciphertexts.push(encryptor.encrypt(packOne(plan, ciphertext, digits, publicKey.n)));
      await pause();
    }
    return encodeCiphertexts(publicKey, ciphertexts);
  };
}

function slotsOf({ slots, slotsPerCiphertext }: Plan, ciphertext: number): number {
  return Math.min(slotsPerCiphertext, slots - ciphertext * slotsPerCiphertext);
}
