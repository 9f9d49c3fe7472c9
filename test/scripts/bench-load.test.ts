/** The measurement under load in a tiny dose: the same processes, requests, signatures and sums. Times are nobody's business here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { type Cohort, createCohort } from '../../scripts/load/cohort.ts';
import { type Contributions, createContributions } from '../../scripts/load/contributions.ts';
import { type LoadJob, proposeJob } from '../../scripts/load/job.ts';
import { targetsOf } from '../../scripts/load/report.ts';
import { runLoad } from '../../scripts/load/run.ts';
import type { ScenarioReport } from '../../scripts/load/scenario.ts';
import { parseMetrics } from '../../scripts/load/scraped-metrics.ts';
import { quantile } from '../../scripts/load/statistics.ts';
import { type EndedRound, verifyRound } from '../../scripts/load/verify-round.ts';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { contributionStatement, sha256 } from '../../src/protocol/manifest.ts';
import type { Manifest } from '../../src/protocol/round-messages.ts';
import { signObject } from '../../src/protocol/signed.ts';
import { program } from '../support/program.ts';

const test = suite('bench:load');
const never = new AbortController().signal;

test('takes two rounds at a facilitator of its own to their exact sums', async () => {
  const told: string[] = [];
  const reports = await runLoad({
    owners: 20,
    ciphertexts: 3,
    concurrency: 8,
    signal: never,
    tell: (line) => {
      told.push(line);
    },
  });
  assert.deepEqual(
    reports.map(({ owners, ciphertexts, contribution_bytes }) => [owners, ciphertexts, contribution_bytes]),
    [
      [20, 3, 3 * 512],
      [20, 30, 30 * 512],
    ],
  );
  assert.equal(told.filter((line) => line === 'the manifest and the sum are verified').length, 2);
  for (const report of reports)
    for (const [name, value] of numbersIn(report)) assert.ok(Number.isFinite(value) && value >= 0, `${name}: ${value}`);
});

test('measures the process that operators start', async () => {
  const script = await readFile(new URL('../../scripts/run_facilitator.sh', import.meta.url), 'utf8');
  // With settings of Node the bench would have to have them, too.
  assert.match(script, /^exec node "\$root\/dist\/parties\/facilitator\/main\.js"/m);
});

function* numbersIn(object: object): Generator<readonly [name: string, value: number]> {
  for (const [name, value] of Object.entries(object) as [string, unknown][])
    if (typeof value === 'number') yield [name, value];
    else if (typeof value === 'object' && value !== null) yield* numbersIn(value);
}

/** A round that a facilitator would have ended like this. */
function endedRound(cohort: Cohort, job: LoadJob, contributions: Contributions): EndedRound {
  const { facilitator, owners } = cohort;
  const { round, roundDigest, keys, plan } = job;
  const sent = owners.map(({ name: owner, identity }) => {
    const bytes = contributions.bytes.get(owner) ?? new Uint8Array();
    const digest = sha256(bytes);
    const statement = contributionStatement(round, roundDigest, { owner, digest, bytes: bytes.length });
    const signature = signObject(identity, 'contribution', statement);
    return { bytes, statement, accepted: { owner, digest, bytes: bytes.length, signature } };
  });
  const all = sent.map(({ bytes }) => bytes);
  const product = aggregate(createEncryptor(keys.publicKey), plan.ciphertexts, all);
  const manifest: Manifest = {
    job: round.descriptor.job,
    round: 1,
    job_digest: round.descriptor.job_digest,
    round_digest: roundDigest,
    model_hash: round.descriptor.model_hash,
    contributions: sent.map(({ accepted }) => accepted),
    count: sent.length,
    aggregate_digest: sha256(product),
  };
  return {
    view: {
      job: round.descriptor.job,
      round: 1,
      status: 'closed',
      roster: round.descriptor.roster,
      opened_at: '',
      deadline: '',
      contributors: round.descriptor.roster,
      missing: [],
      manifest: { manifest, signature: signObject(facilitator, 'manifest', manifest) },
    },
    aggregate: product,
    receipts: sent.map(({ statement }) => ({
      sent: statement,
      received: { receipt: statement, signature: signObject(facilitator, 'receipt', statement) },
    })),
  };
}

test('a sum, a manifest, an aggregate or a receipt that is wrong is noticed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-load-test-'));
  try {
    const cohort = await createCohort(folder, 5);
    const job = await proposeJob(cohort, await generateKeyPair({ bits: 2048 }), 2, never);
    const contributions = await createContributions(job);
    const { sum, bytes } = contributions;
    const right = endedRound(cohort, job, contributions);
    verifyRound(cohort, job, sum, right);

    const others = sum.values.with(17, (sum.values[17] ?? 0n) + 1n);
    assert.throws(() => {
      verifyRound(cohort, job, { ...sum, values: others }, right);
    }, /the sum is wrong: value 17$/);
    assert.throws(() => {
      verifyRound(cohort, job, { ...sum, weight: 6n }, right);
    }, /the sum is wrong: the weight$/);

    // One owner's ciphertexts in place of another's.
    const [one, two] = cohort.owners.map(({ name }) => name);
    assert.ok(one !== undefined && two !== undefined);
    const exchanged = new Map(bytes).set(one, bytes.get(two) ?? new Uint8Array());
    assert.throws(() => {
      verifyRound(cohort, job, sum, endedRound(cohort, job, { bytes: exchanged, sum }));
    }, /the tags of 2 of 2 ciphertexts .* do not match/);

    assert.throws(() => {
      verifyRound(cohort, job, sum, { ...right, aggregate: bytes.get(one) ?? new Uint8Array() });
    }, /the aggregate is not the one of the manifest$/);
    assert.throws(() => {
      verifyRound(cohort, job, sum, { ...right, receipts: right.receipts.slice(1) });
    }, /5 contributed and 4 have a receipt, of 5$/);
    assert.throws(() => {
      verifyRound(cohort, job, sum, { ...right, view: { ...right.view, status: 'abandoned' } });
    }, /the round is abandoned$/);
    const [first, ...rest] = right.receipts;
    assert.ok(first !== undefined);
    const forged = { ...first, received: { ...first.received, receipt: { ...first.received.receipt, bytes: 1 } } };
    assert.throws(() => {
      verifyRound(cohort, job, sum, { ...right, receipts: [forged, ...rest] });
    }, /the receipt is not signed by facilitator/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('tells which targets are met', () => {
  const calm = { mean: 1, p99: 1, most: 20 };
  const report = (contributions_per_second: number, most: number, closing = calm): ScenarioReport => ({
    owners: 1000,
    ciphertexts: 20,
    contribution_bytes: 10_240,
    concurrency: 64,
    seconds: 5,
    contributions_per_second,
    bytes_per_second: 1,
    latency_ms: { median: 1, p95: 1, p99: 1, most: 1 },
    answers_per_second: 1,
    close_ms: 1,
    memory: { most, median: 1, end: 1 },
    processor_seconds: { contributing: 1, closing: 1, senders_contributing: 1 },
    event_loop_delay_ms: { answering: calm, contributing: calm, closing, leaving: calm },
    commit_ms: 1,
    crypto_ms_per_contribution: 1,
  });
  const met = (...reports: [ScenarioReport, ScenarioReport]): boolean[] => targetsOf(reports).map((each) => each.met);
  assert.deepEqual(met(report(150, 400e6), report(20, 410e6)), [true, true, true, true]);
  assert.deepEqual(met(report(149.9, 400e6), report(500, 100e6)), [false, true, true, true]);
  assert.deepEqual(met(report(150, 401e6), report(20, 401e6)), [true, false, true, true]);
  assert.deepEqual(met(report(150, 200e6), report(20, 400e6)), [true, true, false, true]);
  const busy = { ...calm, most: 20.1 };
  assert.deepEqual(met(report(150, 400e6), report(20, 400e6, busy)), [true, true, true, false]);
  // What other processes take of the machine is not the event loop's.
  const crowded = { ...calm, most: 50, most_with_processor: 20 };
  assert.deepEqual(met(report(150, 400e6), report(20, 400e6, crowded)), [true, true, true, true]);
  const slow = { ...crowded, most_with_processor: 20.1 };
  assert.deepEqual(met(report(150, 400e6), report(20, 400e6, slow)), [true, true, true, false]);
});

test('reads measurements and ranks times', () => {
  const metrics = parseMetrics('# HELP a b\n# TYPE a counter\na{x="1 2"} 2\na{x="}"} 3 1700000000000\nb 0.5\n');
  assert.deepEqual([metrics.total('a'), metrics.total('b'), metrics.total('c')], [5, 0.5, undefined]);
  const times = [5, 1, 4, 2, 3];
  assert.deepEqual(
    [quantile(times, 0.5), quantile(times, 0.95), quantile(times, 1), quantile([7], 0.01)],
    [3, 5, 5, 7],
  );
});

test('refuses options that make no sense in one line', () => {
  const command = program('scripts/bench-load.ts');
  for (const [option, value] of [
    ['--owners', '1'],
    ['--ciphertexts', '0'],
    ['--store', 'state.sqlite'],
  ] as const) {
    const ended = spawnSync(process.execPath, [...command, option, value], { encoding: 'utf8' });
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, /^bench:load: .*--help shows the options\)\n$/);
  }
});

test.run();
