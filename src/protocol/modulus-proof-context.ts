import type { JobId, PartyId } from './identifiers.ts';

/** What a job's modulus proof is bound to; its data owners verify it with the same bytes. */
export function modulusProofContext(job: JobId, modelOwner: PartyId): Uint8Array {
  return new TextEncoder().encode(`sealsum modulus proof v1|${job}|${modelOwner}`);
}
