/** How much is measured: the whole, or what shows in seconds that everything works. */
export interface Dose {
  readonly bits: readonly number[];
  readonly values: readonly number[];
  readonly owners: readonly number[];
  /** Medians are of so many rounds: of operations, of aggregations of 1000 values, on threads and ahead. */
  readonly rounds: { readonly operations: number; readonly aggregations: number; readonly threads: number };
  /** Tables that are built to tell what one takes. */
  readonly tables: number;
  /** Values that paillier-bigint aggregates; more are scaled. */
  readonly peerValues: number;
  /** An aggregation that would take longer to measure is scaled, in milliseconds. */
  readonly limit: number;
  /** How long one thread has to do where it is compared with two, in milliseconds. */
  readonly threadsWork: number;
  /** So many backends, the fastest first, are measured on threads and with randomness ahead. */
  readonly threaded: number;
  /** Draws in a batch of noise. */
  readonly draws: number;
}

export const wholeDose: Dose = {
  bits: [2048, 3072],
  values: [1000, 10_000, 100_000, 1_000_000],
  owners: [3, 10, 100],
  rounds: { operations: 15, aggregations: 5, threads: 3 },
  tables: 4,
  peerValues: 8,
  limit: 4000,
  threadsWork: 500,
  threaded: 2,
  draws: 20_000,
};

export const quickDose: Dose = {
  bits: [2048],
  values: [1000],
  owners: [3],
  rounds: { operations: 1, aggregations: 1, threads: 1 },
  tables: 1,
  peerValues: 2,
  limit: 1000,
  threadsWork: 250,
  threaded: 1,
  draws: 1000,
};
