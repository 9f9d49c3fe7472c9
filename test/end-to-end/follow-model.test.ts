/** Following a training from outside: what comes back, and what becomes of a follower when something ends. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { SealsumError } from '../../src/errors.ts';
import { type FollowModelOptions, followModel } from '../../src/http/model-owner-client.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { createTestClock } from '../support/clock.ts';
import { until as untilWithin } from '../support/until.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import { type Consortium, getJson, patience, startConsortium } from './parties.ts';

interface Context {
  consortium: Consortium;
  /** Aborts when the test is over, so that nobody goes on following. */
  stop: AbortController;
}

const test = suite<Context>('following a model');

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const newKey = await oneKey();
const sample = linearSample(40);
const document = {
  ...sample.document,
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 600 },
};
const long = { ...document, training: { solver: 'gradient', rounds: 100_000 } };

test.before.each(async (context) => {
  context.stop = new AbortController();
  context.consortium = await startConsortium({ data: dealtOut(sample, 2), newKey });
});

test.after.each(async ({ consortium, stop }) => {
  stop.abort();
  await consortium[Symbol.asyncDispose]();
});

type Options = Partial<FollowModelOptions>;

function follow(url: string, options: Options = {}): ReturnType<typeof followModel> {
  return followModel({
    url,
    document,
    fetch,
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...options,
  });
}

async function refusal(work: Promise<unknown>): Promise<SealsumError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
  throw new Error('nothing was refused');
}

test('tells the progress and gives what the model owner shows', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const progress: [number, number][] = [];
  const trained = await follow(`${url}//`, {
    document: { ...document, training: { solver: 'gradient', rounds: 3 }, evaluation: { rows: [[50, 3, 'south']] } },
    onProgress: (done, planned) => progress.push([done, planned]),
  });
  const view = await getJson<ModelView>(`${url}/models/${trained.id}`);
  assert.equal(trained.status, 'finished');
  assert.equal(trained.updates, 3);
  assert.deepEqual(trained.metrics, view.metrics);
  assert.deepEqual(trained.privacy, view.privacy);
  assert.deepEqual(trained.parameters, await getJson(`${url}/models/${trained.id}/parameters`));
  assert.deepEqual(trained.answer, await getJson(`${url}/prediction`));
  assert.equal(trained.predictions.length, 1);
  assert.deepEqual(
    trained.rounds.map(({ round, contributors, bytes }) => [round, contributors, bytes]),
    [1, 2, 3, 4].map((round) => [round, 2, 512]),
  );
  assert.deepEqual(progress[0], [0, 3]);
  assert.deepEqual(progress.at(-1), [3, 3]);
});

test('a model that is refused and a training that fails keep their code and field', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const senseless = await refusal(follow(url, { document: { ...document, training: { solver: 'guess' } } }));
  assert.deepEqual([senseless.code, senseless.field], ['model_invalid', 'training.solver']);
  const { target } = document.data_props;
  const narrow = { ...document.data_props, target: { ...target, range: [0, 1] } };
  const failed = await refusal(follow(url, { document: { ...document, data_props: narrow } }));
  assert.deepEqual([failed.code, failed.field], ['owners_too_few', 'participation.quorum']);
  assert.match(failed.message, /^the training failed: .*refused: the data do not fit the model \(outcome\)/);
});

test('whoever stops following stops the training at the model owner', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const stop = new AbortController();
  const following = refusal(
    follow(url, {
      document: long,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 2) stop.abort();
      },
    }),
  );
  assert.equal((await following).code, 'aborted');
  assert.deepEqual(await getJson(`${url}/models`), { models: [] });

  const before = new AbortController();
  before.abort();
  assert.equal((await refusal(follow(url, { signal: before.signal }))).code, 'aborted');
});

test('a model that is deleted by somebody else ends the following', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  let deleted: Promise<Response> | undefined;
  const onProgress = (done: number): void => {
    if (done !== 1 || deleted !== undefined) return;
    deleted = getJson<{ models: ModelView[] }>(`${url}/models`).then(({ models }) =>
      fetch(`${url}/models/${models[0]?.id ?? ''}`, { method: 'DELETE' }),
    );
  };
  const error = await refusal(follow(url, { document: long, onProgress }));
  assert.equal(error.code, 'aborted');
  assert.match(error.message, /the training was stopped/);
  assert.equal((await deleted)?.status, 204);
});

test('a model owner that is not there is said not to be', async ({ consortium }) => {
  await consortium.modelOwner.stop();
  const error = await refusal(follow(consortium.modelOwner.url));
  assert.equal(error.code, 'request_failed');
  assert.match(error.message, /^http:\S+ does not answer; is the model owner running\?$/);
});

test('a follower whose line broke goes on where it was; one whose line stays broken gives up after 30 s', async ({
  consortium,
  stop: { signal },
}) => {
  const clock = createTestClock();
  const seen: number[] = [];
  let broken = false;
  let attempts = 0;
  const flaky: typeof fetch = (input, init) => {
    if (!broken) return fetch(input, init);
    attempts += 1;
    return Promise.reject(new TypeError('fetch failed'));
  };
  const lines: AbortController[] = [];
  const cut: typeof fetch = async (input, init) => {
    if (typeof input !== 'string' || !input.endsWith('/events')) return flaky(input, init);
    const line = new AbortController();
    lines.push(line);
    const signal = AbortSignal.any([line.signal, ...(init?.signal ? [init.signal] : [])]);
    return flaky(input, { ...init, signal });
  };
  let over = false;
  const onProgress = (done: number): void => {
    seen.push(done);
  };
  const { url } = consortium.modelOwner;
  const following = refusal(follow(url, { document: long, clock, fetch: cut, signal, onProgress })).finally(() => {
    over = true;
  });
  await until('two updates', () => (seen.at(-1) ?? 0) >= 2);
  lines.at(-1)?.abort();
  const before = seen.at(-1) ?? 0;
  await until('further updates over a new line', () => {
    clock.advance(100);
    return (seen.at(-1) ?? 0) > before;
  });
  // Nothing was told twice.
  assert.deepEqual(
    seen.filter((each) => each > 0),
    [...new Set(seen.filter((each) => each > 0))],
  );

  broken = true;
  lines.at(-1)?.abort();
  await until('a first attempt', () => {
    clock.advance(100);
    return attempts > 0;
  });
  const started = clock.now();
  await until('giving up', () => {
    clock.advance(500);
    return over;
  });
  const error = await following;
  assert.equal(error.code, 'request_failed');
  assert.match(error.message, /does not answer; is the model owner running\?$/);
  assert.ok(clock.now() - started >= 29_000);
});

test('an address that is none, or that of something else, is said to be so', async ({ consortium }) => {
  for (const url of ['localhost:9090', 'ftp://127.0.0.1', '']) {
    const error = await refusal(follow(url));
    assert.deepEqual([error.code, error.field], ['message_invalid', 'url']);
    assert.match(error.message, /expected a URL such as http:\/\/127\.0\.0\.1:9090$/);
  }
  assert.equal((await refusal(follow(consortium.facilitator.url))).code, 'route_unknown');

  const stranger = createServer((request, response) => {
    request.resume();
    response.end(request.method === 'POST' ? '{"hello": "world"}' : '<html></html>');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = stranger.address() as AddressInfo;
    const error = await refusal(follow(`http://127.0.0.1:${port}`));
    assert.deepEqual([error.code, error.field], ['message_invalid', 'id']);
  } finally {
    stranger.closeAllConnections();
    stranger.close();
  }
});

test.run();
