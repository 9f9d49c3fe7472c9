/**
 * Proofs of a key's modulus as an ideal: what was issued for a job and a model owner is good for them and for nothing else. A
 * network and processes that fail forge nothing, and the half second that a real proof takes to make and to verify would be most
 * of a simulation. Real ones are tested where they are made.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import type { KeyChecks } from '../../src/contributing/key-checks.ts';
import { SealsumError } from '../../src/errors.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { blumCount, encodeResidue, type ModulusProof, rootCount } from '../../src/paillier/modulus-proof.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';

export interface KeyProofs {
  /** The same key pair for every job: nobody here attacks it. */
  readonly newKey: NewKeySource;
  readonly checks: KeyChecks;
}

export function createKeyProofs(keyPair: KeyPair): KeyProofs {
  const issued = new Map<string, ModulusProof>();
  const { n } = keyPair.publicKey;

  /** Of the shape and the length of a real one, and different each time. */
  function issue(context: string): ModulusProof {
    const residue = encodeResidue(n, BigInt(issued.size + 2));
    const proof: ModulusProof = {
      w: residue,
      roots: Array.from({ length: rootCount }, () => residue),
      blum: Array.from({ length: blumCount }, () => ({ a: 0, b: 1, x: residue, z: residue })),
    };
    issued.set(context, proof);
    return proof;
  }

  return {
    newKey: () =>
      Promise.resolve({
        keyPair,
        prove: (context) => Promise.resolve(issue(Buffer.from(context).toString('utf8'))),
      }),
    checks: {
      require: ({ job, model_owner, public_key_proof }) => {
        const context = Buffer.from(modulusProofContext(job, model_owner)).toString('utf8');
        return isDeepStrictEqual(public_key_proof, issued.get(context))
          ? Promise.resolve()
          : Promise.reject(new SealsumError('key_invalid', `this proof was not issued for job ${job}`));
      },
    },
  };
}
