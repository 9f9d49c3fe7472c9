/** Whether an aggregate contains what an owner contributed to it: the facilitator's manifest against the receipt that is kept. */
import { SealsumError } from '../errors.ts';
import type { FacilitatorClient } from '../http/facilitator-client.ts';
import type { JobId, PartyId } from '../protocol/identifiers.ts';
import { verifyInclusion } from '../protocol/manifest.ts';
import type { Parties } from '../protocol/parties.ts';
import type { SignedManifest, SignedReceipt } from '../protocol/round-messages.ts';
import type { DataOwnerStore } from '../storage/data-owner-store.ts';

export interface Inclusion {
  readonly manifest: SignedManifest;
  /** What the facilitator acknowledged; null: no receipt is kept. */
  readonly receipt: SignedReceipt | null;
  readonly included: boolean;
  /** Why not. */
  readonly reason?: string;
}

export interface InclusionDependencies {
  readonly client: Pick<FacilitatorClient, 'round'>;
  readonly store: Pick<DataOwnerStore, 'receipts'>;
  readonly parties: () => Parties;
  readonly facilitator: PartyId;
  /** Who takes the contributions to a round, where that is not always the same one. */
  readonly facilitatorOf?: (job: JobId, round: number) => PartyId;
}

/**
 * Asks the facilitator for a round's manifest and looks for the owner's contribution in it.
 *
 * @throws SealsumError round_open, round_abandoned, round_unknown, and what the client throws
 */
export async function findInclusion(
  { client, store, parties, facilitator, facilitatorOf }: InclusionDependencies,
  job: JobId,
  round: number,
  signal: AbortSignal,
): Promise<Inclusion> {
  const { manifest, status, reason } = await client.round(job, round, signal);
  if (manifest === undefined) throw withoutManifest(round, status, reason);
  const receipt = (await store.receipts(job)).find((each) => each.receipt.round === round) ?? null;
  if (receipt === null)
    return { manifest, receipt, included: false, reason: `no receipt of round ${round} of job ${job} is kept here` };
  try {
    verifyInclusion(parties(), facilitatorOf?.(job, round) ?? facilitator, receipt, manifest);
    return { manifest, receipt, included: true };
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    return { manifest, receipt, included: false, reason: error.message };
  }
}

function withoutManifest(round: number, status: 'open' | 'closed' | 'abandoned', reason = 'abandoned'): SealsumError {
  if (status === 'abandoned')
    return new SealsumError('round_abandoned', `round ${round} has no manifest: ${reason}`, { field: 'round' });
  const why = status === 'open' ? 'is still open and has no manifest yet' : 'is shown without its manifest';
  return new SealsumError(status === 'open' ? 'round_open' : 'round_unknown', `round ${round} ${why}`, {
    field: 'round',
  });
}
