/** A server's stream of events, before readers that come, stay and leave. The way through both ends is tested at the facilitator. */
import assert from 'node:assert/strict';
import { Hono } from 'hono';
import { suite } from 'uvu';
import { createBell } from '../../src/http/bell.ts';
import { resumePoint, serveEvents } from '../../src/http/event-stream.ts';
import { createTestClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

const test = suite('event streams');

interface TestEvent {
  readonly id: number;
  readonly type: string;
  readonly text?: string;
}

const block = (id: number, text?: string): string =>
  `event: test\ndata: ${JSON.stringify({ id, type: 'test', ...(text === undefined ? {} : { text }) })}\nid: ${id}\n\n`;

test('a stream gives what follows, waits for the bell, and is over after the last event', async () => {
  const events: TestEvent[] = [1, 2, 5].map((id) => ({ id, type: 'test' }));
  const asked: number[] = [];
  const bell = createBell();
  const clock = createTestClock();
  let readers = 0;
  let entered = 0;
  const app = new Hono().get('/', (context) =>
    serveEvents(
      context,
      {
        read: (after) => {
          asked.push(after);
          return Promise.resolve(events.filter((event) => event.id > after));
        },
        bell,
        last: (event) => event.text === 'last',
        clock,
        signal: new AbortController().signal,
        onEntered: () => {
          readers += 1;
          entered += 1;
          return () => {
            readers -= 1;
          };
        },
      },
      resumePoint(context, 1),
    ),
  );
  const response = await app.request('/');
  assert.equal(entered, 0);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const next = async (): Promise<string | undefined> => {
    const chunk = await reader.read();
    return chunk.done ? undefined : new TextDecoder().decode(chunk.value);
  };
  assert.equal(await next(), ': connected\nid: 1\n\n');
  assert.equal(await next(), block(2));
  assert.equal(await next(), block(5));
  const sixth = next();
  await until('the stream to wait', () => clock.pending() === 1);
  events.push({ id: 6, type: 'test' }, { id: 7, type: 'test', text: 'last' }, { id: 8, type: 'test' });
  bell.ring();
  assert.equal(await sixth, block(6));
  assert.deepEqual([readers, entered], [1, 1]);
  assert.equal(await next(), block(7, 'last'));
  assert.equal(await next(), undefined);
  assert.deepEqual([readers, entered], [0, 1]);
  assert.deepEqual(asked, [1, 5]);
  assert.equal(clock.pending(), 0);
});

test.run();
