/** Where the Paillier key pair of a job comes from: a new one for every job. */
import { generateKeyPair, type KeyPair } from '../paillier/key-generation.ts';
import type { ModulusProof } from '../paillier/modulus-proof.ts';
import { proveModulus } from '../paillier/modulus-prover.ts';

/** A key pair, and the way to prove that its modulus is well formed. */
export interface NewKey {
  readonly keyPair: KeyPair;
  /** @param context what the proof is for; it proves nothing about the key anywhere else */
  prove(context: Uint8Array, signal: AbortSignal): Promise<ModulusProof>;
}

/** Where the key pair of a job comes from. */
export type NewKeySource = (options: { readonly bits: number; readonly signal: AbortSignal }) => Promise<NewKey>;

/** A fresh key pair. */
export const generateNewKey: NewKeySource = async (options) => {
  const keyPair = await generateKeyPair(options);
  return { keyPair, prove: (context, signal) => proveModulus(keyPair.privateKey, context, { signal }) };
};
