/** Following a stream of events, against a server that misbehaves. The way through both ends is tested at the facilitator. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { z } from 'zod';
import { SealsumError } from '../../src/errors.ts';
import { type FollowOptions, followEvents } from '../../src/http/follow-events.ts';
import { toProblem } from '../../src/http/problem.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { until, within } from '../support/until.ts';
import { type Act, answer, deafPort, shortStream, startScriptedServer, stream } from './scripted-server.ts';

const test = suite('following events');

const schema = z.object({ id: z.number(), type: z.string(), text: z.string().optional() });
type TestEvent = z.infer<typeof schema>;

const block = (id: number, text?: string): string =>
  `event: test\ndata: ${JSON.stringify({ id, type: 'test', ...(text === undefined ? {} : { text }) })}\nid: ${id}\n\n`;

interface Following {
  readonly clock: TestClock;
  readonly events: TestEvent[];
  readonly broken: unknown[];
  readonly stop: AbortController;
  /** Resolves when it is over, with what it threw, if anything. */
  readonly over: Promise<unknown>;
}

/** Follows on a clock of its own; `handle` is awaited for every event. */
function follow(
  url: string,
  more: Partial<FollowOptions<TestEvent>> = {},
  handle: (event: TestEvent) => Promise<boolean> = () => Promise.resolve(true),
): Following {
  const clock = createTestClock();
  const events: TestEvent[] = [];
  const broken: unknown[] = [];
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    const onBroken = (error: unknown): void => {
      broken.push(error);
    };
    for await (const event of followEvents({ url, schema, fetch, clock, signal: stop.signal, onBroken, ...more })) {
      events.push(event);
      if (!(await handle(event))) break;
    }
  };
  const over = run().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { clock, events, broken, stop, over };
}

async function stopped({ stop, over, clock, broken }: Following): Promise<void> {
  const before = broken.length;
  stop.abort();
  assert.equal(await within('the follower to stop', over), undefined);
  assert.equal(broken.length, before);
  assert.equal(clock.pending(), 0);
}

/** Moves the clock to the next try and says how long the wait was; a silent line would be given up after far longer. */
async function nextTry({ clock }: Following, tries: () => number): Promise<number> {
  const before = tries();
  await until('the wait before the next try', () => (clock.next() ?? 45_000) < 45_000);
  const wait = clock.next() ?? 0;
  clock.advance(wait);
  await until('the next try', () => tries() > before);
  return wait;
}

test('events arrive whole however they are cut into chunks', async () => {
  const texts = ['plain', 'Straße 東京 🜨', 'line\nbreak\r\n', ''];
  const bytes = Buffer.from(`: connected\n\n${texts.map((text, index) => block(index + 1, text)).join('')}`);
  const trickle: Act = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let index = 0; index < bytes.length; index++) response.write(bytes.subarray(index, index + 1));
  };
  await using server = await startScriptedServer(trickle);
  const following = follow(server.url);
  await until('all events', () => following.events.length === texts.length);
  assert.deepEqual(
    following.events.map((event) => event.text),
    texts,
  );
  await stopped(following);
  await until('the line to be gone', () => server.answering() === 0);
});

test('a follower resumes after the last event it saw, and asks for nothing when it has seen none', async () => {
  await using server = await startScriptedServer(
    shortStream(': connected\n\n'),
    shortStream(block(7), block(9)),
    stream(block(12)),
  );
  const following = follow(server.url);
  await nextTry(following, () => server.asked.length);
  await nextTry(following, () => server.asked.length);
  await until('the last event', () => following.events.length === 3);
  assert.deepEqual(
    server.asked.map((asked) => asked.headers['last-event-id']),
    [undefined, undefined, '9'],
  );
  assert.deepEqual(
    following.events.map((event) => event.id),
    [7, 9, 12],
  );
  for (const asked of server.asked) assert.equal(asked.headers.accept, 'text/event-stream');
  await stopped(following);
  await using other = await startScriptedServer(stream(': connected\n\n'));
  const resuming = follow(other.url, { after: 0 });
  await until('the request', () => other.asked.length === 1);
  assert.equal(other.asked[0]?.headers['last-event-id'], '0');
  await stopped(resuming);
});

test('the wait doubles up to five seconds, and begins anew once something was heard', async () => {
  const port = await deafPort();
  const following = follow(`http://127.0.0.1:${port}/`);
  const waits: number[] = [];
  for (let turn = 0; turn < 8; turn++) waits.push(await nextTry(following, () => following.broken.length));
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  await stopped(following);
  await using server = await startScriptedServer(
    answer(500, 'no'),
    answer(502, 'no'),
    shortStream(': connected\n\n', block(1)),
    answer(500, 'no'),
    answer(429, 'not now'),
    stream(''),
  );
  const other = follow(server.url);
  const others: number[] = [];
  for (let turn = 0; turn < 5; turn++) others.push(await nextTry(other, () => server.asked.length));
  assert.deepEqual(others, [100, 200, 100, 200, 400]);
  await stopped(other);
});

test('an event that is not as expected breaks the line, over and over, without haste', async () => {
  const later =
    (text: string): Act =>
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      // In a chunk of its own: the greeting alone is no sign that all is well.
      response.write(': connected\n\n', () => setTimeout(() => response.end(text), 10));
    };
  for (const data of ['{"id":1}', 'no JSON', '{"id":"1","type":"test"}']) {
    await using server = await startScriptedServer(
      shortStream(': connected\n\n', `data: ${data}\n\n`),
      later(`data: ${data}\n\n`),
    );
    const following = follow(server.url);
    const waits: number[] = [];
    for (let turn = 0; turn < 4; turn++) waits.push(await nextTry(following, () => following.broken.length));
    assert.deepEqual(waits, [100, 200, 400, 800]);
    for (const error of following.broken) {
      assert.ok(error instanceof SealsumError);
      assert.deepEqual([error.code, error.message], ['message_invalid', 'an event is not as expected']);
    }
    assert.deepEqual(following.events, []);
    await stopped(following);
  }
});

test('a refusal for good ends the following with the error that was thrown there, or what it was', async () => {
  const problem = toProblem(new SealsumError('job_unknown', 'there is no job x', { field: 'job' }));
  await using server = await startScriptedServer(answer(404, problem));
  const error = await within('the refusal', follow(server.url).over);
  assert.ok(error instanceof SealsumError);
  assert.deepEqual([error.code, error.message, error.field], ['job_unknown', 'there is no job x', 'job']);
  await using other = await startScriptedServer(answer(403, '<html>forbidden'));
  const plain = await within('the refusal', follow(other.url).over);
  assert.ok(plain instanceof SealsumError);
  assert.deepEqual([plain.code, plain.message], ['request_failed', 'the event stream was answered 403']);
  assert.equal(server.asked.length + other.asked.length, 2);
});

test('a request that the network delivered twice is asked anew, from where the follower was', async () => {
  const twice = answer(401, toProblem(new SealsumError('nonce_reused', 'the request was sent before')));
  await using server = await startScriptedServer(twice, shortStream(block(3)), twice, stream(block(4)));
  const following = follow(server.url);
  for (let turn = 0; turn < 3; turn++) await nextTry(following, () => server.asked.length);
  await until('both events', () => following.events.length === 2);
  assert.deepEqual(
    server.asked.map((asked) => asked.headers['last-event-id']),
    [undefined, undefined, '3', '3'],
  );
  assert.equal((following.broken[0] as SealsumError).code, 'nonce_reused');
  await stopped(following);
});

test('a server that says when to come back is not asked sooner', async () => {
  const later: Act = (response) => {
    response.writeHead(503, { 'retry-after': '7' }).end();
  };
  await using server = await startScriptedServer(later, stream(''));
  const following = follow(server.url);
  assert.equal(await nextTry(following, () => server.asked.length), 7100);
  await stopped(following);
});

test('204 ends the following without an error', async () => {
  await using server = await startScriptedServer((response) => {
    response.writeHead(204).end();
  });
  const following = follow(server.url);
  assert.equal(await within('the end', following.over), undefined);
  assert.equal(following.clock.pending(), 0);
  assert.deepEqual(following.broken, []);
});

test('a caller that leaves the loop closes the line', async () => {
  await using server = await startScriptedServer(stream(block(1), block(2)));
  const following = follow(server.url, {}, (event) => Promise.resolve(event.id < 1));
  assert.equal(await within('the end', following.over), undefined);
  assert.equal(following.events.length, 1);
  assert.equal(following.clock.pending(), 0);
  await until('the line to be gone', () => server.answering() === 0);
});

test('a caller that takes its time is not mistaken for a silent server', async () => {
  await using server = await startScriptedServer(stream(block(1), block(2)));
  let finish = (): void => undefined;
  const busy = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const following = follow(server.url, {}, async () => {
    await busy;
    return true;
  });
  await until('the first event', () => following.events.length === 1);
  following.clock.advance(1_000_000);
  finish();
  await until('the second event', () => following.events.length === 2);
  assert.deepEqual(following.broken, []);
  assert.equal(server.asked.length, 1);
  await stopped(following);
});

test('a line is broken when catching up fails, and what came meanwhile comes again', async () => {
  await using server = await startScriptedServer(stream(block(4)));
  let turns = 0;
  const onConnected = (): Promise<void> => (turns++ === 0 ? Promise.reject(new Error('not yet')) : Promise.resolve());
  const following = follow(server.url, { onConnected });
  await nextTry(following, () => server.asked.length);
  await until('the event', () => following.events.length === 1);
  assert.equal((following.broken[0] as Error).message, 'not yet');
  assert.equal(turns, 2);
  await stopped(following);
});

test('a follower that is stopped stops at once: before it begins, while it connects, and while it waits', async () => {
  await using server = await startScriptedServer(() => undefined);
  const none = follow(server.url, { signal: AbortSignal.abort() });
  assert.equal(await within('the end', none.over), undefined);
  assert.equal(server.asked.length, 0);
  const connecting = follow(server.url);
  await until('the request', () => server.asked.length === 1);
  await stopped(connecting);
  const waiting = follow(`http://127.0.0.1:${await deafPort()}/`);
  await until('the wait', () => waiting.broken.length === 1 && waiting.clock.pending() === 1);
  await stopped(waiting);
});

test.run();
