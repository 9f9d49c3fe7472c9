/** What a model owner measures of its work, for Prometheus. Names of models and owners are in none of it. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { sumRationals, toNumberAbove } from '../../src/privacy/rational.ts';
import { spentRho } from '../../src/privacy/statement.ts';
import type { ModelRecord, ModelStatus, ModelStore } from '../../src/storage/model-store.ts';

export interface Measures {
  /** How a round ended; `seconds` from asking for it to the updated parameters, where there are any. */
  round(outcome: 'summed' | 'refused' | 'abandoned', seconds?: number): void;
  /** @param milliseconds as a clock's monotonic() tells */
  crypto(operation: 'generate' | 'prove' | 'decrypt', milliseconds: number): void;
}

export const noMeasures: Measures = { round: () => undefined, crypto: () => undefined };

const statuses: readonly ModelStatus[] = [
  'preparing',
  'waiting_for_owners',
  'training',
  'finished',
  'failed',
  'cancelled',
];

/** Registers the metrics; models and privacy are read from the store whenever somebody asks for them. */
export function createMeasures(registry: Registry, store: ModelStore): Measures {
  const registers = [registry];
  // A store that does not answer is no reason to tell nothing of the rest; /readyz tells of the store.
  const list = (): Promise<readonly ModelRecord[]> => store.list().catch(() => []);
  const rounds = new Counter({
    name: 'sealsum_rounds_total',
    help: 'Rounds by how they ended.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'sealsum_round_seconds',
    help: 'Seconds from asking for a round to the updated parameters.',
    buckets: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000],
    registers,
  });
  const crypto = new Counter({
    name: 'sealsum_crypto_seconds_total',
    help: 'Seconds spent on making keys, proving moduli and decrypting sums.',
    labelNames: ['operation'],
    registers,
  });
  new Gauge({
    name: 'sealsum_models',
    help: 'Models by status.',
    labelNames: ['status'],
    registers,
    async collect() {
      const models = await list();
      for (const status of statuses) this.set({ status }, models.filter((model) => model.status === status).length);
    },
  });
  new Gauge({
    name: 'sealsum_privacy_spent_rho',
    help: 'The rho of zero-concentrated differential privacy that all models here have spent together.',
    registers,
    async collect() {
      this.set(toNumberAbove(sumRationals((await list()).map(({ privacy }) => spentRho(privacy)))));
    },
  });
  return {
    round: (outcome, took) => {
      rounds.inc({ outcome });
      if (took !== undefined) seconds.observe(took);
    },
    crypto: (operation, milliseconds) => {
      crypto.inc({ operation }, milliseconds / 1000);
    },
  };
}
