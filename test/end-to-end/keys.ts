/** Keys for many jobs of a test file: one key pair, and for every job a proof of its own, as its owners verify it. */
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';

export async function oneKey(): Promise<NewKeySource> {
  const keyPair = await generateKeyPair({ bits: 2048 });
  return () =>
    Promise.resolve({ keyPair, prove: (context, signal) => proveModulus(keyPair.privateKey, context, { signal }) });
}
