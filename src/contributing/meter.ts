import type { ClippingReport } from '../learning/clipped-sums.ts';
import type { JobId } from '../protocol/identifiers.ts';

/** What the work of a data owner tells of itself as it goes on: numbers, bytes and time. */
export interface OwnerMeter {
  /** A contribution of so many bytes has been acknowledged. */
  contributed(bytes: number): void;
  /**
   * Time went into one contribution (gradient, packing, encryption), into one proof of a key, or into what is computed ahead.
   *
   * @param milliseconds as a clock's monotonic() tells
   */
  crypto(operation: 'contribute' | 'verify' | 'prepare', milliseconds: number): void;
  /**
   * What is computed ahead for the contributions of a job.
   *
   * @param ready how many randomisers there are now, of `bytes` together; none once the job is over
   */
  prepared(job: JobId, ready: number, bytes: number): void;
  /** What clipping did in one contribution under differential privacy. */
  clipped(report: ClippingReport): void;
}

/** For whoever measures nothing. */
export const noMeter: OwnerMeter = {
  contributed: () => undefined,
  crypto: () => undefined,
  prepared: () => undefined,
  clipped: () => undefined,
};
