/** One data owner in one job that it has accepted. */
import type { ClippingReport } from '../learning/clipped-sums.ts';
import type { Cost } from '../privacy/ledger.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import type { RoundView, SignedRound } from '../protocol/round-messages.ts';

/** A job that this owner has accepted. */
export interface Participation {
  readonly descriptor: JobDescriptor;
  /** Of the descriptor. */
  readonly digest: string;
  /** This owner's public key for the tags of the job; the same whenever the same owner accepts it. */
  readonly tagKey: string;
  /** How many of the owner's records take part, and how many a missing value left out. */
  readonly records: number;
  readonly dropped: number;
  /** What each round charges to the ledger. */
  readonly cost: Cost;
  /** The round of a view, unless the job did not promise it. @throws SealsumError as checkRound does */
  check(round: number, view: RoundView): SignedRound;
  /** Checks the model owner's signature of a round. @throws SealsumError signature_invalid, party_unknown, role_forbidden */
  requireSigned(round: SignedRound): void;
  /**
   * The bytes of this owner's contribution to a round: a fresh encryption, with fresh noise where data owners add it, each time
   * it is called.
   *
   * @param roundDigest of the round's descriptor
   * @param observe told what clipping did
   */
  contribution(
    round: SignedRound,
    roundDigest: string,
    observe?: (clipping: ClippingReport) => void,
  ): Promise<Uint8Array>;
  /**
   * Makes contributions cheaper, where the job has enough of them to be worth it. They work without: an owner answers and
   * contributes meanwhile. @throws SealsumError aborted when the signal fires
   */
  prepare(signal: AbortSignal): Promise<void>;
  /** What is computed ahead: randomisers of ciphertexts, and their bytes. */
  readonly prepared: () => { readonly randomisers: number; readonly bytes: number };
  /** Makes the contribution to the round after this one faster, while there is nothing else to do. */
  prepareNext(round: number, signal: AbortSignal): Promise<void>;
}
