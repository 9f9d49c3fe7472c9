/**
 * Ten thousand requests to the interface of a model owner in the middle of a training, by its own people, by others on its machine
 * and by pages of other sites: none is answered with 5xx, none hangs, nothing is changed by them, and the training is finished.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { parseModel } from '../../src/learning/model.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { changesOf } from '../support/changes.ts';
import { until } from '../support/until.ts';
import { type Consortium, over, post, startConsortium, train } from './consortium.ts';
import { assertSame, dumpOf } from './dump.ts';
import type { Codes } from './forgeries.ts';
import { bombard, fuzzed } from './fuzzing.ts';
import { jsonRequest, type LineRequest } from './line.ts';
import {
  assertNoLineIsKept,
  assertProper,
  belonging,
  bodyLimit,
  nearly,
  type Sending,
  token,
  wild,
} from './local-requests.ts';
import { assertNoComplaint } from './refused.ts';

const test = suite('fuzzed requests to a model owner');

const sample = linearSample(60);
const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 2 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 3600 },
};
/** A model that no owner's records fit. */
const narrow = {
  ...document,
  data_props: { ...document.data_props, target: { name: 'outcome', range: [0, 1] } },
};

interface Scene extends AsyncDisposable {
  readonly consortium: Consortium;
  /** A model that is finished, one that failed, and one whose first round waits for both owners. */
  readonly finished: string;
  readonly failed: string;
  readonly running: string;
  /** Lets the owners contribute. */
  readonly goOn: () => void;
}

async function createScene(): Promise<Scene> {
  let goOn = (): void => undefined;
  const standstill = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let halted = false;
  const waiting = new Set<string>();
  const [ofAnna = '', ofBert = ''] = dealtOut(sample, 2);
  const consortium = await startConsortium(
    { anna: ofAnna, bert: ofBert },
    async ({ name }, method, path) => {
      if (!halted || method !== 'PUT' || !path.includes('/contributions/')) return;
      waiting.add(name);
      await standstill;
    },
    { token, bodyLimit },
  );
  const stop = async (): Promise<void> => {
    goOn();
    await consortium[Symbol.asyncDispose]();
  };
  try {
    const { modelOwner } = consortium;
    const first = await train(modelOwner, document);
    assert.equal(first.status, 'finished', JSON.stringify(first.failure));
    const second = await train(modelOwner, narrow);
    assert.equal(second.status, 'failed');
    halted = true;
    const running = await post(modelOwner, document);
    // The model owner has kept everything before it asks for the round.
    await until('both owners to have made their contributions', () => waiting.size === 2, 60_000);
    return { consortium, finished: first.id, failed: second.id, running, goOn, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const get = (path: string): LineRequest => ({ method: 'GET', path, headers: {} });
const rows = { rows: [[40, 3, 'south'], { age: 1.5, visits: 0, ward: 'west' }] };

/** Each would be granted; the last two would change something. */
const routesOf = (finished: string, running: string): readonly LineRequest[] => [
  ...[
    '/models',
    `/models/${finished}`,
    `/models/${running}`,
    `/models/${running}/events`,
    `/models/${finished}/parameters`,
    '/prediction',
    '/predictions',
    '/metrics',
  ].map(get),
  jsonRequest('POST', `/models/${finished}/predictions`, rows),
  jsonRequest('POST', '/models', document),
  { method: 'DELETE', path: `/models/${running}`, headers: {} },
];

function isRefused(model: unknown): boolean {
  try {
    parseModel(model);
    return false;
  } catch {
    return true;
  }
}

/** Every model.json with one place of it changed that makes no sense any more. */
const senseless = [document, narrow]
  .flatMap((each) => changesOf(each))
  .map(({ value }) => value)
  .filter(isRefused);

/** What is asked as it must be, of what there is not, or not yet, or makes no sense. */
function untimely({ finished, failed, running }: Scene): fc.Arbitrary<Sending> {
  const unfinished = [failed, running].flatMap((id) => [
    get(`/models/${id}/parameters`),
    jsonRequest('POST', `/models/${id}/predictions`, rows),
  ]);
  const unknown = ['nowhere', `${running}x`, running.slice(1), running.toUpperCase().replace(/^/, '%20')].flatMap(
    (id) => [
      get(`/models/${id}`),
      get(`/models/${id}/events`),
      get(`/models/${id}/parameters`),
      { method: 'DELETE', path: `/models/${id}`, headers: {} },
      jsonRequest('POST', `/models/${id}/predictions`, rows),
    ],
  );
  const predicting = (body: unknown): LineRequest => jsonRequest('POST', `/models/${finished}/predictions`, body);
  const shapeless = [
    [],
    {},
    null,
    { rows: 1 },
    { rows: [1] },
    { rows: [[true]] },
    { rows: [], more: 1 },
    { rows: [[[]]] },
  ];
  const unfit = [
    [[]],
    [[1]],
    [[40, 3, 'east']],
    [[1e9, 3, 'south']],
    [[40, 3.5, 'south']],
    [{ __proto__: null }],
    [{ age: 1 }],
  ];
  const deep = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
  const given: readonly (readonly [readonly LineRequest[], Codes])[] = [
    [unfinished, ['model_unfinished']],
    [unknown, ['model_unknown']],
    [shapeless.map(predicting), ['message_invalid']],
    [unfit.map((each) => predicting({ rows: each })), ['data_invalid', 'message_invalid']],
    [
      [predicting(deep), jsonRequest('POST', '/models', deep)],
      ['message_invalid', 'model_invalid'],
    ],
    [
      [get(`/models/${'a'.repeat(101)}`), get('/models/%c3%28')],
      ['message_invalid', 'model_unknown'],
    ],
    [
      [jsonRequest('POST', '/models', { ...document, participation: { roster: ['anna'], quorum: 2 } })],
      ['model_invalid'],
    ],
  ];
  const sendings = given.flatMap(([requests, refused]) =>
    requests.map((each) => ({ request: belonging(each), refused })),
  );
  return fc.oneof(
    fc.constantFrom(...sendings),
    fc.constantFrom(...senseless).map((model) => ({
      request: belonging(jsonRequest('POST', '/models', model)),
      refused: ['model_invalid' as const],
    })),
  );
}

test(`${fuzzed} requests are each refused or harmless, and the training goes on`, async () => {
  assert.ok(senseless.length > 100);
  await using scene = await createScene();
  const { consortium, finished, failed, running } = scene;
  const { modelOwner } = consortium;
  const before = await dumpOf(modelOwner.database);
  const said = modelOwner.lines.length;
  const ids = [finished, failed, running];
  const names = { id: [...ids, 'nowhere'] };
  const anything = await wild(modelOwner, names);
  const requests = fc.oneof(
    // But not what is right: a model that its own people delete.
    {
      weight: 6,
      arbitrary: anything.filter(
        ({ request: { method, path } }) => method !== 'DELETE' || !ids.some((id) => path.includes(id)),
      ),
    },
    { weight: 5, arbitrary: nearly(routesOf(finished, running), modelOwner.port) },
    { weight: 2, arbitrary: untimely(scene) },
  );
  const seen = await bombard(
    modelOwner.port,
    requests,
    ({ request }) => request,
    (sending, request, answer) => {
      assertProper(sending, request, answer);
      // Only predictions are granted: they change nothing.
      if (!['GET', 'HEAD'].includes(request.method) && !request.path.includes('/predictions'))
        assert.ok(answer.status >= 400, `${request.method} ${request.path}`);
    },
  );
  // What was sent got somewhere: every kind of answer was met.
  for (const status of [200, 400, 401, 403, 404, 413, 415, 422])
    assert.ok((seen.get(status) ?? 0) > 0, `${status} was never answered: ${JSON.stringify([...seen])}`);
  assertSame(await dumpOf(modelOwner.database), before, 'a fuzzed request');
  assertNoComplaint({ party: { lines: modelOwner.lines.slice(said) } });

  scene.goOn();
  const view = await over(modelOwner, running);
  assert.equal(view.status, 'finished', JSON.stringify(view.failure));
  assert.equal(view.updates, 2);
  const predicted = await fetch(`${modelOwner.url}/models/${running}/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...modelOwner.access },
    body: JSON.stringify(rows),
  });
  const { predictions } = (await predicted.json()) as { readonly predictions: readonly unknown[] };
  assert.ok(predictions.length === 2 && predictions.every(Number.isFinite), JSON.stringify(predictions));
});

test('what is no HTTP, is cut off or comes too slowly is refused and leaves nothing', async () => {
  const server = { headersTimeout: 300, bodyGrace: 200, bodyBytesPerSecond: 1_000_000 };
  const serving = { token, bodyLimit, server };
  await using consortium = await startConsortium({ anna: dealtOut(sample, 1)[0] ?? '' }, undefined, serving);
  await assertNoLineIsKept(consortium.modelOwner, routesOf('finished', 'running'));
});

test.run();
