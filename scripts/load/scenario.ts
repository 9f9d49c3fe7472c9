/**
 * One round under load, measured: a job is proposed, all its owners follow the facilitator and answer, the round is opened, and
 * then all contribute, some at a time. What the owners and the model owner compute for that is done before; what is left to them
 * meanwhile is to sign their requests.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { abortWith } from '../../src/http/signals.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport } from '../../src/http/transport.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { contributionStatement, sha256 } from '../../src/protocol/manifest.ts';
import type { ContributionStatement, SignedReceipt } from '../../src/protocol/round-messages.ts';
import { type ObjectSignature, signObject } from '../../src/protocol/signed.ts';
import type { Cohort } from './cohort.ts';
import { type Contributions, createContributions } from './contributions.ts';
import { each } from './each.ts';
import { startFacilitatorProcess } from './facilitator-process.ts';
import { closed, follow } from './following.ts';
import { type LoadJob, proposeJob } from './job.ts';
import type { LoopDelay } from './loop-monitor.ts';
import { forgetMost, processorSeconds, residentOf } from './process-figures.ts';
import { type ScrapedMetrics, scrapeMetrics } from './scraped-metrics.ts';
import { quantile } from './statistics.ts';
import { verifyRound } from './verify-round.ts';

export interface ScenarioOptions {
  readonly cohort: Cohort;
  readonly keys: KeyPair;
  readonly ciphertexts: number;
  /** Contributions that are under way at a time. */
  readonly concurrency: number;
  /** The facilitator's: a path, or a postgres:// URL. */
  readonly store: string;
  readonly profile?: string | undefined;
  readonly signal: AbortSignal;
  /** Told what happens, a line at a time. */
  readonly tell: (line: string) => void;
}

/** Bytes and seconds, unless a name says otherwise. */
export interface ScenarioReport {
  readonly owners: number;
  readonly ciphertexts: number;
  readonly contribution_bytes: number;
  readonly concurrency: number;
  /** From the first contribution sent to the last one acknowledged. */
  readonly seconds: number;
  readonly contributions_per_second: number;
  readonly bytes_per_second: number;
  readonly latency_ms: { readonly median: number; readonly p95: number; readonly p99: number; readonly most: number };
  readonly answers_per_second: number;
  /** From the last acknowledgement until the model owner hears that the round is closed: most of it re-randomising. */
  readonly close_ms: number;
  /** Of the facilitator: the most since it listened, the median while contributions came, and at the end. */
  readonly memory: { readonly most: number; readonly median: number; readonly end: number };
  /** Of the facilitator, all threads, while contributions came and while the round closed; and of this process, meanwhile. */
  readonly processor_seconds: {
    readonly contributing: number;
    readonly closing: number;
    readonly senders_contributing: number;
  };
  /** Of the facilitator while owners answered the job, while contributions came, while the round closed, and while all owners hung up at once. */
  readonly event_loop_delay_ms: {
    readonly answering: LoopDelay;
    readonly contributing: LoopDelay;
    readonly closing: LoopDelay;
    readonly leaving: LoopDelay;
  };
  /** By the facilitator's own measurements: the mean time of a commit, and of computing with one contribution. */
  readonly commit_ms: number;
  readonly crypto_ms_per_contribution: number;
}

/** Milliseconds between two looks at the facilitator's memory. */
const samplingInterval = 100;

/** Milliseconds that a request may take and be repeated; nobody is given up because the machine is busy. */
const patience = 300_000;

/** What an owner will send, signed. */
interface Prepared {
  readonly client: FacilitatorClient;
  readonly statement: ContributionStatement;
  readonly signature: ObjectSignature;
  readonly bytes: Uint8Array;
}

/** @throws when a sum is wrong or a signature does not verify; SealsumError for what cannot be done */
export async function runScenario(options: ScenarioOptions): Promise<ScenarioReport> {
  const { cohort, keys, ciphertexts, concurrency, store, profile, signal, tell } = options;
  const { owners } = cohort;
  tell(`making ${owners.length} contributions of ${ciphertexts} ciphertexts`);
  const job = await proposeJob(cohort, keys, ciphertexts, signal);
  const contributions = await createContributions(job);

  const stop = new AbortController();
  const letGo = abortWith(signal, stop);
  const listening = new AbortController();
  abortWith(stop.signal, listening);
  await using facilitator = await startFacilitatorProcess({ config: cohort.config, store, profile });
  const { pid, url } = facilitator;
  void facilitator.ended.then((said) => {
    stop.abort(
      new SealsumError('request_failed', `the facilitator has ended: ${said === '' ? 'nobody knows why' : said}`),
    );
  });
  await using transport = createTransport();
  forgetMost(pid);
  const clientOf = (identity: Identity): FacilitatorClient =>
    createFacilitatorClient({
      url,
      fetch: createSignedFetch({ identity, fetch: transport.fetch, clock: systemClock, random: systemRandom }),
      clock: systemClock,
      timeout: patience,
      patience,
    });
  const modelOwner = clientOf(cohort.modelOwner);
  const clients = owners.map(({ identity }) => clientOf(identity));
  try {
    tell('every owner follows the facilitator and answers the job');
    await follow(cohort, clients, modelOwner, stop.signal, listening.signal);
    await modelOwner.createJob(job.signed, stop.signal);
    await facilitator.loopDelay(stop.signal);
    const asked = performance.now();
    await each(concurrency, clients.entries(), async ([index, client]) => {
      const answer = job.answers[index];
      if (answer !== undefined) await client.answerJob(answer, stop.signal);
    });
    const answersPerSecond = owners.length / ((performance.now() - asked) / 1000);
    const answering = await facilitator.loopDelay(stop.signal);

    const prepared = prepare(cohort, job, contributions, clients);
    const closing = closed(modelOwner, job, stop.signal);
    await modelOwner.openRound(job.round, stop.signal);
    tell('every owner contributes');
    const before = await scrapeMetrics(url, transport.fetch, stop.signal);
    await facilitator.loopDelay(stop.signal);
    const measured = await measureContributions(pid, concurrency, prepared, stop.signal);
    const contributing = await facilitator.loopDelay(stop.signal);
    const closedAt = await closing;
    const loopClosing = await facilitator.loopDelay(stop.signal);
    const after = await scrapeMetrics(url, transport.fetch, stop.signal);
    const closingProcessor = processorSeconds(pid) - measured.processorAtEnd;

    tell('the manifest and the sum are verified');
    const view = await modelOwner.round(job.signed.descriptor.job, 1, stop.signal);
    const aggregate = await modelOwner.aggregate(job.signed.descriptor.job, 1, stop.signal);
    verifyRound(cohort, job, contributions.sum, { view, aggregate, receipts: measured.receipts });
    const { most, now: end } = residentOf(pid);
    await modelOwner.endJob(job.signed.descriptor.job, 'finished', stop.signal);
    tell('every owner hangs up');
    await facilitator.loopDelay(stop.signal);
    listening.abort();
    while ((await modelOwner.owners(stop.signal)).length > 0) await pause(samplingInterval);
    const leaving = await facilitator.loopDelay(stop.signal);

    const seconds = (measured.lastAcknowledged - measured.firstSent) / 1000;
    const contributionBytes = prepared[0]?.bytes.length ?? 0;
    const perSecond = owners.length / seconds;
    const mean = (metrics: string): number =>
      difference(before, after, `${metrics}_sum`) / difference(before, after, `${metrics}_count`);
    return {
      owners: owners.length,
      ciphertexts,
      contribution_bytes: contributionBytes,
      concurrency,
      seconds,
      contributions_per_second: perSecond,
      bytes_per_second: perSecond * contributionBytes,
      latency_ms: {
        median: quantile(measured.latencies, 0.5),
        p95: quantile(measured.latencies, 0.95),
        p99: quantile(measured.latencies, 0.99),
        most: quantile(measured.latencies, 1),
      },
      answers_per_second: answersPerSecond,
      close_ms: Math.max(0, closedAt - measured.lastAcknowledged),
      memory: { most, median: quantile(measured.samples, 0.5), end },
      processor_seconds: {
        contributing: measured.processor,
        closing: closingProcessor,
        senders_contributing: measured.ownProcessor,
      },
      event_loop_delay_ms: { answering, contributing, closing: loopClosing, leaving },
      commit_ms: 1000 * mean('sealsum_commit_seconds'),
      crypto_ms_per_contribution: (1000 * difference(before, after, 'sealsum_crypto_seconds_sum')) / owners.length,
    };
  } catch (error) {
    // Whatever fails while everything is being stopped is a consequence of it.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    letGo();
    stop.abort();
  }
}

function prepare(
  { owners }: Cohort,
  { round, roundDigest }: LoadJob,
  { bytes: all }: Contributions,
  clients: readonly FacilitatorClient[],
): Prepared[] {
  return clients.flatMap((client, index) => {
    const owner = owners[index];
    const bytes = owner === undefined ? undefined : all.get(owner.name);
    if (owner === undefined || bytes === undefined) return [];
    const announced = { owner: owner.name, digest: sha256(bytes), bytes: bytes.length };
    const statement = contributionStatement(round, roundDigest, announced);
    return [{ client, statement, bytes, signature: signObject(owner.identity, 'contribution', statement) }];
  });
}

interface Measured {
  readonly firstSent: number;
  readonly lastAcknowledged: number;
  readonly latencies: readonly number[];
  readonly receipts: readonly { readonly sent: ContributionStatement; readonly received: SignedReceipt }[];
  /** Bytes that the facilitator had in memory, again and again. */
  readonly samples: readonly number[];
  readonly processor: number;
  readonly processorAtEnd: number;
  readonly ownProcessor: number;
}

async function measureContributions(
  pid: number,
  concurrency: number,
  prepared: readonly Prepared[],
  signal: AbortSignal,
): Promise<Measured> {
  const latencies: number[] = [];
  const receipts: { sent: ContributionStatement; received: SignedReceipt }[] = [];
  const samples: number[] = [residentOf(pid).now];
  const sampler = setInterval(() => {
    samples.push(residentOf(pid).now);
  }, samplingInterval);
  const processorBefore = processorSeconds(pid);
  const ownBefore = process.cpuUsage();
  const firstSent = performance.now();
  try {
    await each(concurrency, prepared, async ({ client, statement, signature, bytes }) => {
      const sent = performance.now();
      const received = await client.contribute(statement, signature, bytes, signal);
      latencies.push(performance.now() - sent);
      receipts.push({ sent: statement, received });
    });
  } finally {
    clearInterval(sampler);
  }
  const lastAcknowledged = performance.now();
  const own = process.cpuUsage(ownBefore);
  const processorAtEnd = processorSeconds(pid);
  return {
    firstSent,
    lastAcknowledged,
    latencies,
    receipts,
    samples,
    processor: processorAtEnd - processorBefore,
    processorAtEnd,
    ownProcessor: (own.user + own.system) / 1e6,
  };
}

/** By how much a sum or count has grown. */
function difference(before: ScrapedMetrics, after: ScrapedMetrics, name: string): number {
  return (after.total(name) ?? Number.NaN) - (before.total(name) ?? 0);
}
