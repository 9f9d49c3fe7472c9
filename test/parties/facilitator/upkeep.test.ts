/** What a facilitator does by itself: deletes what the retention rule says, ends jobs that were left behind, and is ready or not. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createFacilitatorMetrics } from '../../../parties/facilitator/metrics.ts';
import type { Retention } from '../../../src/storage/facilitator-store.ts';
import { createTestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';
import {
  anna,
  bert,
  codeOf,
  contributionOf,
  createStore,
  describeJob,
  ended,
  never,
  refusal,
  startFacilitator,
  type TestFacilitator,
} from './harness.ts';

const test = suite('the upkeep of a facilitator');

const { job } = describeJob();
const roster = [anna, bert];
const minute = 60_000;
const day = 86_400_000;

/** Two owners' contributions to a round of theirs, until it is closed. */
async function playRound(party: TestFacilitator, round: number, name = 'job'): Promise<void> {
  await party.open(round, { job: name });
  for (const [index, owner] of roster.entries()) await party.contribute(round, owner, contributionOf(index, 2), name);
  await ended(party, round, name);
}

/** The rules with which a store was asked to delete, and when. */
async function watched(retention: Partial<Retention> = {}, failures = 0) {
  const clock = createTestClock();
  const store = await createStore(clock);
  const asked: { readonly at: number; readonly rule: Retention }[] = [];
  let left = failures;
  const party = await startFacilitator({
    clock,
    retention,
    store: {
      ...store,
      retain: async (rule, now) => {
        asked.push({ at: now, rule });
        if (left-- > 0) throw new Error('disk full');
        return store.retain(rule, now);
      },
    },
  });
  const begun = clock.now();
  return { party, clock, times: () => asked.map(({ at }) => at - begun), rules: () => asked.map(({ rule }) => rule) };
}

test('old rounds lose their aggregate and descriptor, not their manifest; the newest keep theirs', async () => {
  const { party: started, clock, times } = await watched({ rounds: 2 });
  await using party = started;
  const { client } = party;
  clock.advance(0);
  await until('the first time', () => times().length === 1);
  await party.create({ roster });
  for (const round of [1, 2, 3, 4]) await playRound(party, round);
  clock.advance(minute);
  await until('the second time', () => times().length === 2);
  await until(
    'the oldest to be forgotten',
    async () => (await codeOf(client.aggregate(job, 2, never))) === 'round_unknown',
  );
  const error = await refusal(client.aggregate(job, 1, never));
  assert.deepEqual(
    [error.code, error.field, error.message],
    ['round_unknown', 'round', 'the aggregate of round 1 of job job is no longer kept'],
  );
  for (const round of [3, 4]) assert.equal((await client.aggregate(job, round, never)).length, 512);
  for (const round of [1, 2, 3, 4]) {
    const view = await client.round(job, round, never);
    assert.equal(view.manifest?.manifest.count, 2);
    assert.equal(view.signed === undefined, round < 3);
  }
  // Nothing happened since, so nothing is asked for.
  clock.advance(10 * minute);
  await party.facilitator.drained();
  assert.deepEqual(times(), [0, minute]);
});

test('the rule is applied once a minute at most, and again a minute after it failed', async () => {
  const { party: started, clock, times, rules } = await watched({ events: 7 }, 2);
  await using party = started;
  clock.advance(0);
  await until('the first time', () => times().length === 1);
  await until('the second to be waited for', () => clock.pending() === 1);
  clock.advance(minute - 1);
  assert.equal(times().length, 1);
  clock.advance(1);
  await until('the second time', () => times().length === 2);
  await until('the third to be waited for', () => clock.pending() === 1);
  clock.advance(minute);
  await until('the third time', () => times().length === 3);
  assert.deepEqual(times(), [0, minute, 2 * minute]);
  assert.deepEqual(rules()[2], { rounds: 2, endedJobs: 1000, endedJobDays: 30, events: 7 });
  assert.ok(party.lines.some((line) => line.includes('"level":"error"') && line.includes('the upkeep failed')));
  await until('nothing to be waited for', () => clock.pending() === 0);
});

test('ended jobs beyond their number and age are gone for everybody, and their name is free again', async () => {
  const { party: started, clock, times } = await watched({ endedJobs: 1, endedJobDays: 3 });
  await using party = started;
  const { client } = party;
  clock.advance(0);
  await until('the first time', () => times().length === 1);
  for (const name of ['one', 'two', 'three']) {
    await party.create({ job: name, roster });
    clock.advance(1);
    if (name !== 'three') await client.endJob(describeJob({ job: name }).job, 'finished', never);
  }
  const listed = async (): Promise<string> => (await client.jobs(never)).map((each) => each.job).join(' ');
  assert.equal(await listed(), 'one two three');
  clock.advance(minute);
  await until('the oldest to be gone', async () => (await listed()) === 'two three');
  assert.equal(await codeOf(client.job(describeJob({ job: 'one' }).job, never)), 'job_unknown');
  assert.equal(await codeOf(party.as(anna).job(describeJob({ job: 'one' }).job, never)), 'job_unknown');
  clock.advance(4 * day);
  await client.endJob(describeJob({ job: 'three' }).job, 'finished', never);
  clock.advance(minute);
  await until('the old one to be gone', async () => (await listed()) === 'three');
  await party.create({ job: 'one', roster, quorum: 2 });
  assert.equal(await listed(), 'three one');
});

test('a job in which nothing happens for a week is ended, and says why; one in which something does is not', async () => {
  await using party = await startFacilitator();
  const { client, clock } = party;
  await party.create({ job: 'quiet', roster });
  await party.create({ job: 'busy', roster });
  clock.advance(6 * day);
  await party.answer(anna, 'ready', { job: 'busy' });
  clock.advance(day - 1);
  await party.facilitator.drained();
  const status = async (name: string): Promise<string> =>
    (await client.job(describeJob({ job: name }).job, never)).status;
  assert.equal(await status('quiet'), 'open');
  clock.advance(minute);
  await until('the quiet one to end', async () => (await status('quiet')) === 'failed');
  assert.equal(await status('busy'), 'open');
  const [last] = (await party.store.events(0, undefined, 100)).slice(-1);
  assert.deepEqual(
    [last?.type, last?.job, last?.status, last?.reason],
    ['job.ended', 'quiet', 'failed', 'nothing happened for 7 days'],
  );
  await playRound(party, 1, 'busy');
  clock.advance(7 * day - minute);
  await party.facilitator.drained();
  assert.equal(await status('busy'), 'open');
  clock.advance(2 * minute);
  await until('the other one to end', async () => (await status('busy')) === 'failed');
});

test('a job whose round is open is not idle, however little patience there is', async () => {
  await using party = await startFacilitator({ limits: { idleJobDays: 0.01 } });
  const { client, clock } = party;
  await party.create({ roster, deadline_seconds: 86_400 });
  await party.open(1);
  for (let hours = 0; hours < 12; hours++) {
    clock.advance(3_600_000);
    await party.facilitator.drained();
  }
  assert.equal((await client.job(job, never)).status, 'open');
  clock.advance(day);
  await ended(party);
  clock.advance(day);
  await until('the job to end', async () => {
    clock.advance(minute);
    return (await client.job(job, never)).status === 'failed';
  });
});

test('a restart forgets neither the jobs that are idle nor the deadlines that are to come', async () => {
  const clock = createTestClock();
  const store = await createStore(clock);
  {
    await using party = await startFacilitator({ clock, store });
    await party.create({ job: 'quiet', roster });
    await party.create({ roster, deadline_seconds: 100 });
    await party.open(1);
    clock.advance(40_000);
  }
  assert.equal(clock.pending(), 0);
  await using party = await startFacilitator({ clock, store });
  clock.advance(59_999);
  await party.facilitator.drained();
  assert.equal((await party.client.round(job, 1, never)).status, 'open');
  clock.advance(1);
  const view = await ended(party);
  assert.deepEqual([view.status, view.missing], ['abandoned', roster]);
  clock.advance(7 * day);
  await until('the quiet one to end', async () => {
    clock.advance(minute);
    return (await party.client.job(describeJob({ job: 'quiet' }).job, never)).status === 'failed';
  });
});

test('it is ready unless it stops, or something else keeps it from being so', async () => {
  let trouble: string | undefined;
  const stopping = new AbortController();
  await using party = await startFacilitator({
    signal: stopping.signal,
    notReady: () => Promise.resolve(trouble),
  });
  const ask = async (): Promise<unknown> => {
    const response = await fetch(`${party.url}/readyz`);
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ask(), [200, { status: 'ready' }]);
  trouble = 'the store does not answer';
  assert.deepEqual(await ask(), [503, { status: 'not ready', reason: 'the store does not answer' }]);
  trouble = undefined;
  stopping.abort();
  assert.deepEqual(await ask(), [503, { status: 'not ready', reason: 'stopping' }]);
});

test('what it does is counted where Prometheus reads it, and names nobody', async () => {
  const metrics = createFacilitatorMetrics();
  await using party = await startFacilitator({ metrics });
  await party.create({ roster });
  await playRound(party, 1);
  const bytes = contributionOf(5, 2);
  await party.open(2);
  await party.contribute(2, anna, bytes);
  await party.contribute(2, anna, bytes);
  await refusal(party.contribute(2, anna, contributionOf(6, 2)));
  const text = await (await fetch(`${party.url}/metrics`)).text();
  for (const line of [
    'sealsum_jobs_open 1',
    'sealsum_rounds_open 1',
    'sealsum_rounds_total{status="open"} 2',
    'sealsum_rounds_total{status="closed"} 1',
    'sealsum_contributions_total{outcome="accepted"} 3',
    'sealsum_contributions_total{outcome="repeated"} 1',
    'sealsum_contributions_total{outcome="contribution_conflict"} 1',
    'sealsum_contribution_bytes_total 1536',
    'sealsum_crypto_seconds_count{step="validate"} 3',
    'sealsum_crypto_seconds_count{step="fold"} 3',
    'sealsum_crypto_seconds_count{step="rerandomise"} 1',
    'sealsum_turns_waiting 0',
    'sealsum_uploads 0',
  ])
    assert.ok(text.split('\n').includes(line), line);
  assert.match(text, /^sealsum_commit_seconds_count [0-9]+$/m);
  for (const hidden of ['anna', 'bert', 'mona']) assert.ok(!new RegExp(`"${hidden}"`).test(text), hidden);
  await party.client.endJob(job, 'finished', never);
  const after = await metrics.registry.metrics();
  assert.match(after, /^sealsum_jobs_open 0$/m);
  assert.match(after, /^sealsum_rounds_open 0$/m);
});

test('its description says how requests are signed, and that what is open is not', async () => {
  await using party = await startFacilitator();
  const document = (await (await fetch(`${party.url}/openapi.json`)).json()) as {
    readonly components: { readonly securitySchemes: Record<string, { readonly name: string; readonly in: string }> };
    readonly paths: Record<
      string,
      Record<string, { readonly security?: unknown; readonly parameters?: { name: string }[] }>
    >;
  };
  const { signature, signatureInput } = document.components.securitySchemes;
  assert.deepEqual([signature?.name, signature?.in], ['Signature', 'header']);
  assert.deepEqual([signatureInput?.name, signatureInput?.in], ['Signature-Input', 'header']);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
  );
  assert.equal(operations.length, 13);
  for (const { name, security } of operations)
    assert.deepEqual(security, [{ signature: [], signatureInput: [] }], name);
  const contribute = operations.find(({ name }) => name.endsWith('/contributions/{owner}'));
  assert.ok(contribute?.parameters?.some(({ name }) => name === 'contribution-signature'));
});

test.run();
