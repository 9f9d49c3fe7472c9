/** What a data owner counts of itself, for Prometheus. Counts and sums only: nothing of a record. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { OwnerMeter } from '../../src/contributing/meter.ts';
import type { Ledger, Spent } from '../../src/privacy/ledger.ts';
import { toNumberAbove } from '../../src/privacy/rational.ts';
import type { DataOwner } from './service.ts';

export function createOwnerMeter(registry: Registry): OwnerMeter {
  const registers = [registry];
  const contributions = new Counter({
    name: 'sealsum_contributions_total',
    help: 'Contributions for which a receipt is kept.',
    registers,
  });
  const bytes = new Counter({
    name: 'sealsum_contribution_bytes_total',
    help: 'Bytes of ciphertexts in contributions for which a receipt is kept.',
    registers,
  });
  const seconds = new Counter({
    name: 'sealsum_crypto_seconds_total',
    help: 'Seconds spent on making contributions (gradient, packing, encryption), on verifying keys, and on what is computed ahead.',
    labelNames: ['operation'],
    registers,
  });
  const clipped = new Gauge({
    name: 'sealsum_clipped_fraction',
    help: 'Of the newest contribution under differential privacy: the share of units that were shortened to the clip. Exact, for the owner alone.',
    registers,
  });
  const notFinite = new Counter({
    name: 'sealsum_units_not_finite_total',
    help: 'Units that counted as zeros because a statistic of theirs was no finite number.',
    registers,
  });
  const local = new Gauge({
    name: 'sealsum_local_metric',
    help: 'Where metrics stay with each owner: their means over the records of the newest contribution. Exact, for the owner alone.',
    labelNames: ['metric'],
    registers,
  });
  /** By job: how many are ready, and their bytes. */
  const prepared = new Map<string, readonly [ready: number, bytes: number]>();
  const sumOf = (part: 0 | 1): number => [...prepared.values()].reduce((sum, each) => sum + each[part], 0);
  const randomisers = new Counter({
    name: 'sealsum_randomisers_total',
    help: 'Random parts of ciphertexts that were computed ahead; each is used once at most, and kept in memory only.',
    registers,
  });
  new Gauge({
    name: 'sealsum_randomisers_ready',
    help: 'Of these, how many wait for the next contributions.',
    registers,
    collect() {
      this.set(sumOf(0));
    },
  });
  new Gauge({
    name: 'sealsum_randomisers_bytes',
    help: 'The memory of those that wait.',
    registers,
    collect() {
      this.set(sumOf(1));
    },
  });
  return {
    prepared: (job, ready, bytes) => {
      randomisers.inc(Math.max(0, ready - (prepared.get(job)?.[0] ?? 0)));
      if (ready === 0) prepared.delete(job);
      else prepared.set(job, [ready, bytes]);
    },
    contributed: (count) => {
      contributions.inc();
      bytes.inc(count);
    },
    crypto: (operation, milliseconds) => {
      seconds.inc({ operation }, milliseconds / 1000);
    },
    clipped: (report) => {
      clipped.set(report.units === 0 ? 0 : report.clipped / report.units);
      notFinite.inc(report.notFinite);
      for (const { name, mean } of report.metrics) local.set({ metric: name }, mean);
    },
  };
}

/** What is asked when somebody reads the measurements. */
type GaugedOwner = Pick<DataOwner, 'jobs' | 'queued' | 'connected'>;

export function registerOwnerGauges(registry: Registry, ledger: Ledger, owner: GaugedOwner): void {
  const registers = [registry];
  new Gauge({
    name: 'sealsum_jobs',
    help: 'Jobs by status.',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset();
      for (const { status } of owner.jobs()) this.inc({ status });
    },
  });
  new Gauge({
    name: 'sealsum_queue_length',
    help: 'Jobs for which something is to be done or under way.',
    registers,
    collect() {
      this.set(owner.queued());
    },
  });
  new Gauge({
    name: 'sealsum_connected',
    help: 'Whether the line to the facilitator stands: 1 or 0.',
    registers,
    collect() {
      this.set(owner.connected() ? 1 : 0);
    },
  });
  // A store that does not answer is no reason to tell nothing of the rest; /readyz tells of the store.
  const spent = (): Promise<Spent | undefined> => ledger.spent().catch(() => undefined);
  new Gauge({
    name: 'sealsum_ledger_rounds',
    help: 'Rounds charged to the ledger, with and without differential privacy.',
    labelNames: ['protected'],
    registers,
    async collect() {
      const books = await spent();
      if (books === undefined) return;
      this.set({ protected: 'yes' }, books.rounds - books.unprotectedRounds);
      this.set({ protected: 'no' }, books.unprotectedRounds);
    },
  });
  new Gauge({
    name: 'sealsum_privacy_spent_rho',
    help: 'The rho of zero-concentrated differential privacy that the ledger has charged in all; exact at /ledger.',
    registers,
    async collect() {
      const books = await spent();
      if (books !== undefined) this.set(toNumberAbove(books.rho));
    },
  });
}
