/** What a facilitator tells those who follow it: everything once and in order, whatever happens to the line. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { suite } from 'uvu';
import type { FollowHooks } from '../../../src/http/facilitator-client.ts';
import { type Clock, systemClock } from '../../../src/protocol/clock.ts';
import type { JobEvent } from '../../../src/protocol/events.ts';
import { type JobId, type OwnerId, ownerIdSchema } from '../../../src/protocol/identifiers.ts';
import type { Identity } from '../../../src/protocol/identity.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';
import { startCuttingProxy } from '../../support/cutting-proxy.ts';
import { until, within } from '../../support/until.ts';
import {
  anna,
  answerTo,
  bert,
  clientOf,
  codeOf,
  contributionOf,
  cora,
  createStore,
  describeJob,
  facilitatorIdentity,
  identityOf,
  leafIdentity,
  mona,
  never,
  otto,
  partiesWith,
  signAnswer,
  signJob,
  startFacilitator,
  type TestFacilitator,
  trio,
} from './harness.ts';

const test = suite('events of a facilitator');

const { job } = describeJob();

/** The machine's clock with short waits, so that a follower connects again soon. */
const hastyClock: Clock = {
  ...systemClock,
  after: (milliseconds, action) => systemClock.after(milliseconds / 20, action),
};

/** A follower that collects, until it is stopped. */
interface Follower {
  readonly events: JobEvent[];
  readonly stop: AbortController;
  /** Resolves when the stream is over, rejects with what ended it. */
  readonly over: Promise<void>;
}

function collect(follow: (signal: AbortSignal) => AsyncGenerator<JobEvent>): Follower {
  const events: JobEvent[] = [];
  const stop = new AbortController();
  const over = (async () => {
    for await (const event of follow(stop.signal)) events.push(event);
  })();
  over.catch(() => undefined);
  return { events, stop, over };
}

/** The upkeep's timer: whatever else waits belongs to a stream. */
const upkeep = 1;

/** A follower of all jobs as an owner, once its line stands. @param signing by which clock it signs */
async function follower(
  url: string,
  owner: OwnerId,
  clock: Clock,
  signing: Clock,
  hooks: FollowHooks = {},
): Promise<Follower> {
  let connected = false;
  const onConnected = async (): Promise<void> => {
    await hooks.onConnected?.();
    connected = true;
  };
  const collected = collect((signal) =>
    clientOf(url, owner, clock, signing).followAll(owner, signal, { ...hooks, onConnected }),
  );
  await until('the line to stand', () => connected);
  return collected;
}

/** Whether a follower waits before it connects again; on a line it would wait for 45 s of silence. */
const waitsToTryAgain = (clock: TestClock): boolean => (clock.next() ?? 45_000) < 45_000;

/** A stream as its reader sees it, byte by byte. */
interface RawStream {
  readonly response: Response;
  /** Everything that has come so far. */
  readonly text: () => string;
  readonly ended: Promise<void>;
  readonly leave: () => void;
}

async function stream(
  party: TestFacilitator,
  path: string,
  who: Identity | OwnerId = mona,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawStream> {
  const line = new AbortController();
  const response = await party.fetchAs(who)(party.url + path, { headers, signal: line.signal });
  let text = '';
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    if (response.body === null) return;
    for await (const chunk of response.body as ReadableStream<Uint8Array>)
      text += decoder.decode(chunk, { stream: true });
  };
  const ended = read();
  ended.catch(() => undefined);
  return {
    response,
    text: () => text,
    ended,
    leave: () => {
      line.abort();
    },
  };
}

function withoutView(event: JobEvent): JobEvent {
  return Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'view')) as unknown as JobEvent;
}

async function answer(party: TestFacilitator, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await party.answer(bert, index % 2 === 0 ? 'ready' : 'refused');
}

/** An owner's answers without the way there. */
async function answerOften(party: TestFacilitator, name: string, owner: OwnerId, count: number): Promise<void> {
  const roster = name === 'job' ? trio : [anna, bert];
  for (let index = 0; index < count; index++) {
    const answer = answerTo(describeJob({ job: name, roster }), owner, 'ready', `${name} ${index}`);
    await party.facilitator.answerJob(identityOf(owner), signAnswer(answer));
  }
}

/** As many answers of an owner in the store, at once and without anybody being told. */
async function fill({ store }: TestFacilitator, name: string, owner: OwnerId, count: number): Promise<void> {
  const event = { type: 'owner.answered', job: name as JobId, owner, at: '2024-01-01T00:00:00.000Z' } as const;
  await store.commit({ events: Array.from({ length: count }, (_, index) => ({ ...event, reason: String(index) })) });
}

test('a follower gets each event once and in order, however often its line is destroyed', async () => {
  await using party = await startFacilitator();
  await using proxy = await startCuttingProxy(party.port);
  party.alsoAt(proxy.url);
  await party.create();
  const first = await party.store.lastEvent();
  const everything = await follower(proxy.url, bert, hastyClock, party.clock);
  const ofJob = collect((signal) => clientOf(proxy.url, mona, hastyClock, party.clock).followJob(job, 0, signal));
  for (let cut = 0; cut < 12; cut++) {
    await answer(party, 2 + (cut % 5) * 7);
    // Before the events have come through, and after some have.
    if (cut % 3 !== 0) await until('an event to come through', () => everything.events.length > cut);
    proxy.cut();
  }
  await answer(party, 3);
  await party.client.endJob(job, 'finished', never);
  const all = await party.store.events(0, undefined, 100_000);
  await until('all events', () => everything.events.length >= all.length - first && ofJob.events.length >= all.length);
  everything.stop.abort();
  ofJob.stop.abort();
  await Promise.all([everything.over, ofJob.over]);
  assert.deepEqual(everything.events, all.slice(first));
  assert.deepEqual(ofJob.events, all);
  assert.ok(proxy.opened() > 6, `${proxy.opened()} lines`);
});

test('a line that breaks before its first event resumes where it began', async () => {
  await using party = await startFacilitator();
  await using proxy = await startCuttingProxy(party.port);
  party.alsoAt(proxy.url);
  const clock = createTestClock();
  const heard = await follower(proxy.url, anna, clock, party.clock);
  proxy.cut();
  await until('the follower to wait', () => waitsToTryAgain(clock));
  await party.create();
  clock.advance(100);
  await until('what happened meanwhile', () => heard.events.length === 1);
  heard.stop.abort();
  await heard.over;
});

test('an owner hears of the jobs that name it and of no others, however many those are', async () => {
  await using party = await startFacilitator();
  const heard = await follower(party.url, cora, hastyClock, party.clock);
  await party.create({ job: 'other', roster: [anna, bert] });
  await fill(party, 'other', anna, 1100);
  await party.create({ job: 'own', roster: [anna, cora] });
  await until('its own event', () => heard.events.length > 0);
  await party.client.endJob('other' as JobId, 'failed', never);
  await party.client.endJob('own' as JobId, 'failed', never);
  await until('its own event', () => heard.events.length > 1);
  heard.stop.abort();
  await heard.over;
  assert.deepEqual(
    heard.events.map((event) => `${event.id} ${event.type} ${event.job}`),
    ['1102 job.created own', '1104 job.ended own'],
  );
});

test('what one owner answers and contributes is told to it and to the model owner, and to nobody else', async () => {
  await using party = await startFacilitator();
  const clock = createTestClock();
  const heard = new Map<string, Follower>();
  for (const owner of trio) heard.set(owner, await follower(party.url, owner, clock, party.clock));
  const all = await stream(party, '/events');
  await until('the line to stand', () => all.text().includes(': connected'));
  await party.create();
  for (const owner of trio) await party.answer(owner, owner === cora ? 'refused' : 'ready', { reason: `of ${owner}` });
  await party.open(1);
  for (const [index, owner] of [anna, bert].entries()) await party.contribute(1, owner, contributionOf(index));
  const types = (events: readonly JobEvent[]): string[] =>
    events.map(({ type, owner }) => (owner === undefined ? type : `${type} ${owner}`));
  const expected = (owner: OwnerId): string[] => [
    'job.created',
    `owner.answered ${owner}`,
    'round.opened',
    ...(owner === cora ? [] : [`round.contribution ${owner}`]),
    'round.closed',
  ];
  for (const owner of trio) {
    const { events = [] } = heard.get(owner) ?? {};
    await until('the end of the round', () => events.at(-1)?.type === 'round.closed');
    assert.deepEqual(types(events), expected(owner));
    // And so it is for whoever reads it later, from the store.
    const read = party.facilitator.reader(identityOf(owner), { job });
    assert.deepEqual(await read(0), events.map(withoutView));
    const later = await stream(party, '/jobs/job/events', owner);
    await until('the end of the round', () => later.text().includes('round.closed'));
    assert.deepEqual(
      [...later.text().matchAll(/^id: (.*)$/gm)].slice(1).map((each) => Number(each[1])),
      events.map(({ id }) => id),
    );
    later.leave();
  }
  await until('the end of the round', () => all.text().includes('round.closed'));
  assert.equal([...all.text().matchAll(/^event: /gm)].length, 8);
  all.leave();
  const others = await stream(party, '/events', otto);
  others.leave();
  for (const { stop } of heard.values()) stop.abort();
});

test('a facilitator below hears of the jobs that it folds a part of, and of no single owner', async () => {
  await using party = await startFacilitator();
  const nodes = [{ facilitator: leafIdentity.name, parent: facilitatorIdentity.name }];
  const live = await stream(party, '/events', leafIdentity);
  const folded = { ...describeJob(), tree: { nodes, group_quorum: 2 } };
  await party.client.createJob(signJob(folded), never);
  await party.create({ job: 'other' });
  await party.as(anna).answerJob(signAnswer(answerTo(folded, anna, 'ready')), never);
  await party.client.endJob(job, 'failed', never);
  await until('the end of the job', () => live.text().includes('job.ended'));
  const heard = [...live.text().matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  assert.deepEqual(heard, ['job.created', 'job.ended']);
  live.leave();
  // And so it is for whoever reads it later, from the store.
  const later = await party.facilitator.reader(leafIdentity, {})(0);
  assert.deepEqual(
    later.map(({ type, job: name }) => [type, name]),
    [
      ['job.created', job],
      ['job.ended', job],
    ],
  );
});

test('a round comes along with its event to whoever would ask for it, as it is then', async () => {
  await using party = await startFacilitator();
  const clock = createTestClock();
  const { events, stop } = await follower(party.url, anna, clock, party.clock);
  await party.create();
  const owned = collect((signal) => clientOf(party.url, mona, clock, party.clock).followJob(job, 0, signal));
  for (const owner of trio) await party.answer(owner, 'ready');
  await party.open(1);
  const opened = await party.client.round(job, 1, never);
  await until('the round to be told of', () => events.at(-1)?.type === 'round.opened');
  assert.deepEqual(events.at(-1)?.view, opened);
  for (const [index, owner] of trio.entries()) await party.contribute(1, owner, contributionOf(index));
  await until('the end to be told of', () => owned.events.at(-1)?.type === 'round.closed');
  assert.deepEqual(owned.events.at(-1)?.view, await party.client.round(job, 1, never));
  await until('the end to be told of', () => events.at(-1)?.type === 'round.closed');
  const shown = (told: readonly JobEvent[]): string[] =>
    told.filter(({ view }) => view !== undefined).map(({ type }) => type);
  assert.deepEqual([shown(events), shown(owned.events)], [['round.opened'], ['round.closed']]);

  // What has become something else since, and what is long, has to be asked for.
  await party.open(2, { parameters: new Array<number>(1537).fill(0) });
  await until('the next round to be told of', () => events.at(-1)?.round === 2);
  assert.equal(events.at(-1)?.view, undefined);
  for (const owner of trio) await party.contribute(2, owner, contributionOf(0));
  await party.open(3, { parameters: [], encrypted: 'AAAA'.repeat(4097) });
  await until('the round after it to be told of', () => events.at(-1)?.round === 3);
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.view], ['round.opened', undefined]);
  stop.abort();
  owned.stop.abort();
});

test('a round of very many owners does not come along: an event must fit the line of whoever follows', async () => {
  const many = Array.from({ length: 101 }, (_, index) => ownerIdSchema.parse(`owner-${index}`));
  await using party = await startFacilitator({ parties: partiesWith(many) });
  for (const [name, roster] of [
    ['few', many.slice(1)],
    ['many', many],
  ] as const) {
    await party.create({ job: name, roster });
    await party.open(1, { job: name, roster });
    const events = await party.facilitator.reader(identityOf('owner-7'), { owner: many[7] ?? anna })(0);
    const opened = events.find((event) => event.job === name && event.type === 'round.opened');
    assert.ok(opened !== undefined);
    assert.equal(opened.view !== undefined, name === 'few');
  }
});

test('a contribution is told with what comes next, or a moment later', async () => {
  await using party = await startFacilitator();
  await party.create();
  for (const owner of trio) await party.answer(owner, 'ready');
  await party.open(1);
  const line = await stream(party, '/events');
  await until('the greeting', () => line.text().includes(': connected'));
  await party.contribute(1, anna, contributionOf(0));
  await party.contribute(1, bert, contributionOf(1));
  assert.ok(!line.text().includes('round.contribution'));
  party.clock.advance(100);
  await until('both to be told', () => line.text().includes('bert'));
  await party.contribute(1, cora, contributionOf(2));
  await until('the end to be told', () => line.text().includes('round.closed'));
  assert.deepEqual(
    [...line.text().matchAll(/^event: (.*)$/gm)].map((each) => each[1]),
    ['round.contribution', 'round.contribution', 'round.contribution', 'round.closed'],
  );
  line.leave();
});

test('a reader gets every event of its own, page by page, and looks at those of others once', async () => {
  const store = await createStore();
  let looked = 0;
  await using party = await startFacilitator({
    store: {
      ...store,
      events: async (after, of, limit) => {
        const found = await store.events(after, of, limit);
        looked += found.length;
        return found;
      },
    },
  });
  const { facilitator } = party;
  await party.create();
  await party.create({ job: 'other', roster: [anna, bert] });
  await fill(party, 'job', bert, 1500);
  await fill(party, 'other', bert, 2100);
  await fill(party, 'job', bert, 700);
  const all = await store.events(0, undefined, 100_000);
  const cases = [
    [mona, { job }, all.filter((event) => event.job === job)],
    [identityOf(cora), { owner: cora }, all.filter((event) => event.job === job && event.type === 'job.created')],
    [identityOf(bert), { owner: bert }, all],
  ] as const;
  for (const [who, of, own] of cases) {
    looked = 0;
    const read = facilitator.reader(who, of);
    const found: JobEvent[] = [];
    for (;;) {
      const page = await read(found.at(-1)?.id ?? 0);
      if (page.length === 0) break;
      found.push(...page);
    }
    assert.deepEqual(found, own);
    assert.ok(looked <= all.length, `${looked} looks at ${all.length} events`);
    const before = looked;
    assert.deepEqual(await read(found.at(-1)?.id ?? 0), []);
    assert.equal(looked, before);
  }
  // Those that come from now on are put into the boxes of whom they concern.
  const read = facilitator.reader(identityOf(cora), { owner: cora });
  const last = (await read(0)).at(-1)?.id ?? 0;
  assert.deepEqual(await read(last), []);
  await party.client.endJob(job, 'failed', never);
  looked = 0;
  for (let turn = 0; turn < 10; turn++) {
    await answerOften(party, 'other', bert, 3 + turn);
    const page = await read(last);
    assert.deepEqual(
      page.map(({ type }) => type),
      ['job.ended'],
    );
    assert.deepEqual(await read(page.at(-1)?.id ?? 0), []);
  }
  assert.equal(looked, 0);
});

test('a reader that falls behind what is held for it loses nothing', async () => {
  await using party = await startFacilitator();
  await party.create();
  const read = party.facilitator.reader(identityOf(bert), { owner: bert });
  const found: JobEvent[] = [...(await read(0))];
  for (const count of [1, 513, 7, 256, 257]) {
    await answerOften(party, 'job', bert, count);
    for (let page = await read(found.at(-1)?.id ?? 0); page.length > 0; page = await read(found.at(-1)?.id ?? 0))
      found.push(...page);
    assert.deepEqual(found, await party.store.events(0, undefined, 100_000));
  }
});

test('whoever is put off the roster file hears nothing more', async () => {
  await using party = await startFacilitator();
  await party.create();
  const line = await stream(party, '/events?owner=anna', anna);
  await until('the greeting', () => line.text().includes(': connected'));
  party.admit(party.parties.all.filter(({ name }) => name !== anna));
  await party.client.endJob(job, 'failed', never);
  await within('the stream to end', line.ended);
  assert.ok(!line.text().includes('job.ended'));
  assert.equal(await codeOf(party.as(anna).jobs(never)), 'party_unknown');
});

test('a silent line carries a comment every fifteen seconds, and nothing else', async () => {
  await using party = await startFacilitator();
  await party.create();
  const line = await stream(party, '/events?owner=anna', anna);
  assert.equal(line.response.headers.get('content-type'), 'text/event-stream');
  assert.equal(line.response.headers.get('cache-control'), 'no-cache');
  // An id without data is a place to resume after and no event (WHATWG HTML, section 9.2.6).
  const greeting = ': connected\nid: 1\n\n';
  await until('the greeting', () => line.text() === greeting);
  for (let beat = 1; beat <= 3; beat++) {
    party.clock.advance(14_999);
    party.clock.advance(1);
    await until('a comment', () => line.text() === greeting + ': alive\n\n'.repeat(beat));
  }
  await party.answer(anna, 'ready');
  await until('the event', () => line.text().includes('data:'));
  const [event] = await party.store.events(1, undefined, 1);
  assert.equal(
    line.text().slice(greeting.length + 3 * ': alive\n\n'.length),
    `event: owner.answered\ndata: ${JSON.stringify(event)}\nid: 2\n\n`,
  );
  line.leave();
  await until('the timer to be gone', () => party.clock.pending() === upkeep);
});

test('a follower gives a silent line up after 45 seconds, connects again and misses nothing', async () => {
  await using party = await startFacilitator();
  await using proxy = await startCuttingProxy(party.port);
  party.alsoAt(proxy.url);
  await party.create();
  const clock = createTestClock();
  let broken = 0;
  const heard = await follower(proxy.url, bert, clock, party.clock, {
    onBroken: () => {
      broken += 1;
    },
  });
  await until('the line to be heard of', () => clock.pending() === 1);
  proxy.silence();
  await answer(party, 5);
  clock.advance(44_999);
  assert.equal(broken, 0);
  clock.advance(1);
  await until('the line to be given up', () => broken === 1);
  await until('the wait before the next try', () => waitsToTryAgain(clock));
  clock.advance(100);
  await until('the events', () => heard.events.length === 5);
  assert.deepEqual(heard.events, await party.store.events(1, undefined, 100));
  heard.stop.abort();
  await heard.over;
  assert.equal(clock.pending(), 0);
});

test('a follower keeps a line on which only comments come', async () => {
  await using party = await startFacilitator();
  const clock = createTestClock();
  let broken = 0;
  // What is due is done, and nothing will be: what waits from here on are lines.
  party.clock.advance(0);
  await until('the upkeep to be done', () => party.clock.pending() === 0);
  const heard = await follower(party.url, anna, clock, party.clock, {
    onBroken: () => {
      broken += 1;
    },
  });
  for (let beat = 0; beat < 8; beat++) {
    await until('the server to wait', () => party.clock.pending() === 1);
    const line = await stream(party, '/events');
    await until('the server to wait on both lines', () => party.clock.pending() === 2);
    party.clock.advance(15_000);
    // The comment has come here, so it has left for the follower too; its timer is set anew when it arrives.
    await until('a comment', () => line.text().includes(': alive'));
    line.leave();
    await until('the other line to be gone', () => party.clock.pending() === 1);
    clock.advance(15_000);
  }
  await party.create();
  await until('the event', () => heard.events.length === 1);
  assert.equal(broken, 0);
  heard.stop.abort();
  await heard.over;
});

test('an owner is listed as long as one of its streams stands', async () => {
  await using party = await startFacilitator();
  const listed = async (): Promise<string> => (await party.client.owners(never)).join(' ');
  assert.equal(await listed(), '');
  const one = await stream(party, '/events?owner=anna', anna);
  const two = await stream(party, '/events?owner=anna', anna);
  const other = await stream(party, '/events?owner=bert', bert);
  const nobody = await stream(party, '/events');
  assert.equal(await listed(), 'anna bert');
  one.leave();
  nobody.leave();
  await until('two streams to be left', () => party.clock.pending() === upkeep + 2);
  assert.equal(await listed(), 'anna bert');
  two.leave();
  await until('anna to be gone', async () => (await listed()) === 'bert');
  other.leave();
  await until('bert to be gone', async () => (await listed()) === '');
});

test('asking for the head of a stream opens none', async () => {
  await using party = await startFacilitator();
  await party.create();
  for (const path of ['/events?owner=anna', '/jobs/job/events']) {
    const response = await party.fetchAs(anna)(party.url + path, { method: 'HEAD' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
  }
  assert.deepEqual(await party.client.owners(never), []);
  assert.equal(party.clock.pending(), upkeep);
});

test("a job's stream begins at its beginning and ends with it; asking again after its end is answered at once", async () => {
  await using party = await startFacilitator();
  await party.create();
  await party.create({ job: 'other' });
  await party.answer(anna, 'ready');
  const line = await stream(party, '/jobs/job/events');
  await party.client.endJob(job, 'finished', never);
  await within('the stream to end', line.ended);
  assert.deepEqual(
    [...line.text().matchAll(/^event: (.*)$/gm)].map((each) => each[1]),
    ['job.created', 'owner.answered', 'job.ended'],
  );
  const resumed = await stream(party, '/jobs/job/events', mona, { 'last-event-id': '1' });
  await within('the stream to end', resumed.ended);
  assert.deepEqual(
    [...resumed.text().matchAll(/^id: (.*)$/gm)].map((each) => each[1]),
    ['1', '3', '4'],
  );
  // 204 is how a server tells an EventSource not to connect again (WHATWG HTML, section 9.2.3).
  const nothing = await stream(party, '/jobs/job/events', mona, { 'last-event-id': '4' });
  assert.equal(nothing.response.status, 204);
  const clock = createTestClock();
  const again = collect((signal) => clientOf(party.url, mona, clock, party.clock).followJob(job, 0, signal));
  await until('the wait after the stream has ended', () => waitsToTryAgain(clock));
  clock.advance(100);
  await within('the follower to be told of the end', again.over);
  assert.equal(again.events.length, 3);
  // The other job is still open.
  assert.equal(party.clock.pending(), upkeep);
});

test('a Last-Event-ID that is no number of an event', async () => {
  await using party = await startFacilitator();
  await party.create();
  for (const [path, who] of [
    ['/events', mona],
    ['/events?owner=anna', anna],
    ['/jobs/job/events', bert],
  ] as const)
    for (const id of ['x', '-1', '1.5', '1e3', '9'.repeat(16), '0x1', '1 2']) {
      const response = await party.fetchAs(who)(party.url + path, { headers: { 'last-event-id': id } });
      const problem = (await response.json()) as { type: string; field: string };
      assert.deepEqual(
        [response.status, problem.type, problem.field],
        [400, 'urn:sealsum:problem:message-invalid', 'Last-Event-ID'],
      );
    }
  assert.deepEqual(await party.client.owners(never), []);
});

test('a follower of a facilitator that has begun anew hears of what happens there', async () => {
  // Events are numbered from 1 again after a restart with an empty memory; the follower remembers a greater number.
  await using party = await startFacilitator();
  await party.create();
  const line = await stream(party, '/events?owner=anna', anna, { 'last-event-id': '5000' });
  const ofJob = await stream(party, '/jobs/job/events', mona, { 'last-event-id': '5000' });
  await party.answer(anna, 'ready');
  await until('the event', () => line.text().includes('owner.answered') && ofJob.text().includes('owner.answered'));
  assert.ok(!line.text().includes('job.created'));
  assert.ok(ofJob.text().includes('job.created'));
});

test('whoever hears of a closed round finds it closed, with its aggregate', async () => {
  await using party = await startFacilitator();
  const { client, store } = party;
  await party.create({ roster: [anna, bert] });
  await party.open(1, { roster: [anna, bert], parameters: [] });
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of client.followJob(job, 0, stop.signal))
      if (event.type === 'round.closed')
        return [await client.round(job, 1, never), await client.aggregate(job, 1, never)];
    return undefined;
  })();
  await party.contribute(1, anna, contributionOf(0, 2));
  assert.equal((await store.events(0, job, 100)).at(-1)?.type, 'round.contribution');
  await party.contribute(1, bert, contributionOf(1, 2));
  const found = await within('the round to be closed', watching);
  assert.equal(found?.length, 2);
  stop.abort();
});

test('a follower is told of a refusal for good and does not try again', async () => {
  await using party = await startFacilitator();
  const unknown = collect((signal) => party.client.followJob('none' as JobId, 0, signal));
  assert.equal(await codeOf(within('the refusal', unknown.over)), 'job_unknown');
  assert.equal(party.clock.pending(), upkeep);
});

test('a stream whose events cannot be read ends, says nothing of the reason, and can be resumed', async () => {
  const store = await createStore();
  let broken = false;
  await using party = await startFacilitator({
    store: {
      ...store,
      events: (after, of, limit) =>
        broken ? Promise.reject(new Error('disk-trouble-7')) : store.events(after, of, limit),
    },
  });
  await party.create();
  await party.answer(anna, 'ready');
  broken = true;
  const line = await stream(party, '/jobs/job/events');
  await within('the stream to end', line.ended);
  assert.equal(line.text(), ': connected\nid: 0\n\n');
  assert.ok(party.lines.some((each) => each.includes('"level":"error"') && each.includes('disk-trouble-7')));
  broken = false;
  const resumed = await stream(party, '/jobs/job/events', mona, { 'last-event-id': '1' });
  await until('the second event', () => resumed.text().includes('owner.answered'));
  resumed.leave();
  await until('every timer to be gone', () => party.clock.pending() === upkeep);
});

test('a stopped facilitator ends its streams and is gone within a second', async () => {
  const party = await startFacilitator();
  await party.create();
  const lines = await Promise.all(
    (
      [
        ['/events?owner=anna', anna],
        ['/events?owner=bert', bert],
        ['/events', mona],
        ['/jobs/job/events', cora],
      ] as const
    ).map(([path, who]) => stream(party, path, who)),
  );
  const followers = [await follower(party.url, cora, hastyClock, party.clock)];
  await within('the facilitator to stop', party.stop(), 1000);
  await within('the streams to end', Promise.all(lines.map((each) => each.ended)), 1000);
  for (const { stop, over } of followers) {
    stop.abort();
    await over;
  }
  assert.equal(party.clock.pending(), 0);
  assert.deepEqual(party.facilitator.connectedOwners(mona), []);
});

test('nothing is left of streams that have been left: no timer, no listener, no connection, no complaint', async () => {
  const signal = new AbortController().signal;
  await using party = await startFacilitator({ signal });
  await party.create();
  for (let turn = 0; turn < 5; turn++) {
    const lines = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        stream(party, index % 2 === 0 ? '/events?owner=anna' : '/jobs/job/events', anna),
      ),
    );
    await until('all to be connected', () => lines.every((each) => each.text().includes(': connected')));
    await answer(party, 2);
    for (const each of lines) each.leave();
    await until('all to be gone', () => party.clock.pending() === upkeep);
  }
  assert.equal(
    party.lines.find((line) => line.includes('"level":"error"')),
    undefined,
  );
  assert.ok(getEventListeners(signal, 'abort').length <= 1);
  assert.deepEqual(party.facilitator.connectedOwners(mona), []);
});

test.run();
