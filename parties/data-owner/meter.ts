import type { ClippingReport } from '../../src/learning/clipped-sums.ts';

/** What the work of a data owner tells of itself as it goes on: numbers, bytes and time. */
export interface OwnerMeter {
  /** A contribution of so many bytes has been acknowledged. */
  contributed(bytes: number): void;
  /**
   * Time went into one contribution (gradient, packing, encryption) or into one proof of a key.
   *
   * @param milliseconds as a clock's monotonic() tells
   */
  crypto(operation: 'contribute' | 'verify', milliseconds: number): void;
  /** What clipping did in one contribution under differential privacy. */
  clipped(report: ClippingReport): void;
}

/** For whoever measures nothing. */
export const noMeter: OwnerMeter = {
  contributed: () => undefined,
  crypto: () => undefined,
  clipped: () => undefined,
};
