/** Proofs that the modulus of a job's key is well formed, each verified once for as long as the process lives. */
import { verifyModulus } from '../paillier/modulus-proof.ts';
import type { PublicKey } from '../paillier/public-key.ts';
import { toHex } from '../platform/bytes.ts';
import { sha256 } from '../platform/hashes.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import { modulusProofContext } from '../protocol/modulus-proof-context.ts';

/**
 * Checks that a model owner's modulus is well formed, as its proof says (Goldberg, Reyzin, Sagga, Baldimtsi 2019; CGGMP21).
 */
export interface KeyChecks {
  /**
   * Checks the proof that a descriptor brings of its key, unless it was found good before.
   *
   * @param key the descriptor's own
   * @throws SealsumError key_invalid; aborted when the signal fires
   */
  require(descriptor: JobDescriptor, key: PublicKey, signal: AbortSignal): Promise<void>;
}

/** Jobs whose keys are remembered: far more than an owner takes part in at once. */
const remembered = 1000;

/** Checks of keys that remember, in memory, which proofs were found good. */
export function createKeyChecks(): KeyChecks {
  const good = new Set<string>();
  return {
    require: async ({ job, model_owner, public_key, public_key_proof }, key, signal) => {
      const context = modulusProofContext(job, model_owner);
      const name = toHex(sha256(public_key.n, ' ', context));
      if (good.has(name)) return;
      await verifyModulus(key, public_key_proof, context, { signal });
      good.add(name);
      for (const oldest of good) {
        if (good.size <= remembered) break;
        good.delete(oldest);
      }
    },
  };
}
