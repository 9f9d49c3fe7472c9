/** What a facilitator counts and measures for Prometheus: numbers of things, bytes and seconds, never whose they are. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../src/errors.ts';

/** What is computed with ciphertexts. */
export type CryptoStep = 'validate' | 'fold' | 'rerandomise';

export interface FacilitatorMetrics {
  /** Where all of it can be read. */
  readonly registry: Registry;
  /** Jobs and rounds that are open now. */
  openJobs(count: number): void;
  openRounds(count: number): void;
  /** A round has become this. */
  round(status: 'open' | 'closed' | 'abandoned'): void;
  /** A contribution was accepted, repeated, or refused with a code. */
  contribution(outcome: 'accepted' | 'repeated' | ErrorCode): void;
  /** Bytes of contributions that have arrived, whatever became of them. */
  received(bytes: number): void;
  crypto(step: CryptoStep, seconds: number): void;
  committed(seconds: number): void;
  /** Changes that wait for their turn, the one under way included. */
  turns(count: number): void;
  /** Contributions that are arriving, and the memory reserved for them. */
  uploads(count: number, bytes: number): void;
  /** Contributions that have arrived and are not accepted yet. */
  arrived(count: number): void;
}

/** Seconds of a commit or a piece of cryptography: from a tenth of a millisecond to ten seconds. */
const buckets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** @param registry the one that the app's /metrics shows */
export function createFacilitatorMetrics(registry: Registry = new Registry()): FacilitatorMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `sealsum_${name}`, help, registers });
  const jobs = gauge('jobs_open', 'Jobs that are open');
  const roundsOpen = gauge('rounds_open', 'Rounds that wait for contributions');
  const turns = gauge('turns_waiting', 'Changes of jobs that wait for their turn, those under way included');
  const uploads = gauge('uploads', 'Contributions that are arriving');
  const arrived = gauge('contributions_waiting', 'Contributions that have arrived and wait to be accepted');
  const uploadBytes = gauge('upload_bytes', 'Memory reserved for contributions that are arriving');
  const rounds = new Counter({
    name: 'sealsum_rounds_total',
    help: 'Rounds that were opened, closed and abandoned',
    labelNames: ['status'],
    registers,
  });
  const contributions = new Counter({
    name: 'sealsum_contributions_total',
    help: 'Contributions by what became of them: accepted, repeated, or the code of their refusal',
    labelNames: ['outcome'],
    registers,
  });
  const received = new Counter({
    name: 'sealsum_contribution_bytes_total',
    help: 'Bytes of contributions that have arrived',
    registers,
  });
  const crypto = new Histogram({
    name: 'sealsum_crypto_seconds',
    help: 'Until what is computed with one block of ciphertexts is there, the turns of others included',
    labelNames: ['step'],
    buckets,
    registers,
  });
  const commits = new Histogram({
    name: 'sealsum_commit_seconds',
    help: 'Until a change is durable',
    buckets,
    registers,
  });
  return {
    registry,
    openJobs: (count) => {
      jobs.set(count);
    },
    openRounds: (count) => {
      roundsOpen.set(count);
    },
    round: (status) => {
      rounds.inc({ status });
    },
    contribution: (outcome) => {
      contributions.inc({ outcome });
    },
    received: (bytes) => {
      received.inc(bytes);
    },
    crypto: (step, seconds) => {
      crypto.observe({ step }, seconds);
    },
    committed: (seconds) => {
      commits.observe(seconds);
    },
    turns: (count) => {
      turns.set(count);
    },
    uploads: (count, bytes) => {
      uploads.set(count);
      uploadBytes.set(bytes);
    },
    arrived: (count) => {
      arrived.set(count);
    },
  };
}
