/** The model owner's interface as curl would use it, with data owners and a facilitator behind it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../../parties/model-owner/views.ts';
import type { Problem } from '../../../src/http/problem.ts';
import type { ModelEventRecord } from '../../../src/storage/model-store.ts';
import { dealtOut, linearSample, logisticSample, type Sample, softmaxSample } from '../../end-to-end/data.ts';
import { oneKey } from '../../end-to-end/keys.ts';
import {
  type Consortium,
  createCast,
  getJson,
  over,
  postJson,
  postModel,
  startConsortium,
  startFacilitator,
  startModelOwner,
  trainOver,
} from '../../end-to-end/parties.ts';
import { sharedText } from '../../support/shared.ts';

interface Context {
  consortium: Consortium;
}

const test = suite<Context>("the model owner's interface");

const newKey = await oneKey();

const linear = linearSample(40);
const settings = { encryption: { key_bits: 2048 }, participation: { deadline_seconds: 600 } };
const small = { ...linear.document, ...settings };

test.before(async (context) => {
  context.consortium = await startConsortium({ data: dealtOut(linear, 2), newKey });
});

test.after(async (context) => {
  await context.consortium[Symbol.asyncDispose]();
});

async function problemOf(response: Response): Promise<Problem> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  return problem;
}

/** Everything that a problem says beside its title. */
async function refusalOf(response: Response): Promise<Omit<Problem, 'title'>> {
  const { type, status, detail, field } = await problemOf(response);
  return { type: type.replace('urn:sealsum:problem:', ''), status, detail, ...(field === undefined ? {} : { field }) };
}

test('before any model is finished there is nothing to predict, and it says so', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const refusal = await refusalOf(await fetch(`${url}/prediction`));
  assert.equal(refusal.status, 404);
  assert.equal(refusal.type, 'model-unfinished');
  assert.match(refusal.detail, /no model is finished yet; GET \/models shows what runs/);
  assert.deepEqual(await getJson(`${url}/predictions`), { models: [] });
  assert.deepEqual(await getJson(`${url}/models`), { models: [] });
});

test('POST /models answers 202 with the address, where the model is shown with every default', async ({
  consortium,
}) => {
  const { url } = consortium.modelOwner;
  const response = await postJson(`${url}/models`, { name: 'stay', ...small });
  assert.equal(response.status, 202);
  const posted = (await response.json()) as ModelView;
  assert.equal(response.headers.get('location'), `/models/${posted.id}`);
  assert.equal(posted.status, 'preparing');
  assert.equal(posted.name, 'stay');
  await over(consortium.modelOwner, posted.id);
  const view = await getJson<ModelView>(`${url}${response.headers.get('location') ?? ''}`);
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.deepEqual(view.settings, {
    training: { solver: 'normal-equations', l1: 0, l2: 0 },
    encryption: { key_bits: 2048, fraction_bits: 40 },
    participation: { quorum: 2, deadline_seconds: 600, max_records: 2 ** 20 },
  });
  assert.ok(view.ended_at !== undefined && view.ended_at >= view.created_at);
  assert.deepEqual(Object.keys(view.metrics ?? {}), ['loss', 'mse', 'r2']);
  const { models } = await getJson<{ models: ModelView[] }>(`${url}/models`);
  assert.deepEqual(models, [view]);
});

async function eventsOf(response: Response): Promise<ModelEventRecord[]> {
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  return [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as ModelEventRecord,
  );
}

test('events begin at the beginning, resume after the last one seen, and end with the training', async ({
  consortium,
}) => {
  const id = await postModel(consortium.modelOwner, { ...small, training: { solver: 'gradient', rounds: 3 } });
  const address = `${consortium.modelOwner.url}/models/${id}/events`;
  const all = await eventsOf(await fetch(address));
  assert.deepEqual(
    all.map((event) => event.id),
    all.map((_, index) => index + 1),
  );
  assert.equal(all[0]?.status, 'preparing');
  assert.ok(all.some((event) => event.status === 'waiting_for_owners'));
  assert.deepEqual(
    all.filter((event) => event.type === 'round').map((event) => [event.updates, event.planned_updates]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
      [3, 3],
    ],
  );
  assert.equal(all.at(-1)?.type, 'finished');
  const rest = await eventsOf(await fetch(address, { headers: { 'last-event-id': '2' } }));
  assert.deepEqual(rest, all.slice(2));
  // A browser's EventSource connects again after the end of a stream, unless it is told that there is nothing more.
  const seen = await fetch(address, { headers: { 'last-event-id': String(all.length) } });
  assert.equal(seen.status, 204);
  const refusal = await refusalOf(await fetch(address, { headers: { 'last-event-id': 'third' } }));
  assert.deepEqual([refusal.status, refusal.field], [400, 'Last-Event-ID']);
  assert.equal((await fetch(`${consortium.modelOwner.url}/models/nothing/events`)).status, 404);
});

test('a model that is not finished has no parameters and predicts nothing yet', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const participation = { ...settings.participation, roster: ['owner-1', 'owner-2', 'somebody-else'] };
  const id = await postModel(consortium.modelOwner, { ...small, participation });
  const sent = [
    fetch(`${url}/models/${id}/parameters`),
    postJson(`${url}/models/${id}/predictions`, { rows: [[50, 3, 'south']] }),
  ];
  for (const response of sent) {
    const refusal = await refusalOf(await response);
    assert.deepEqual([refusal.status, refusal.type, refusal.field], [404, 'model-unfinished', 'id']);
    assert.match(refusal.detail, /is (preparing|waiting for owners)$/);
  }
  assert.equal((await fetch(`${url}/models/${id}`, { method: 'DELETE' })).status, 204);
});

interface Predicted {
  readonly predictions: unknown[];
}

test('predicts rows as arrays and as objects, in order', async ({ consortium }) => {
  const [age, ...others] = linear.document.data_props.features;
  const data_props = { ...linear.document.data_props, features: [{ ...age, missing: 'drop' }, ...others] };
  const { id } = await trainOver(consortium.modelOwner, { ...small, data_props });
  const { url } = consortium.modelOwner;
  const { coefficients } = await getJson<{ coefficients: number[] }>(`${url}/models/${id}/parameters`);
  const [intercept = 0, perYear = 0, perVisit = 0, south = 0, west = 0] = coefficients;
  const rows = [
    [50, 3, 'south'],
    { ward: 'west', age: 20.5, visits: 0 },
    { ward: 'west', age: null, visits: 0 },
    ['10', '10', 'north'],
    { ward: 'north', age: 10, visits: 10, outcome: 3 },
  ];
  const response = await postJson(`${url}/models/${id}/predictions`, { rows });
  assert.equal(response.status, 200);
  const { predictions } = (await response.json()) as { predictions: (number | null)[] };
  const expected = [
    intercept + 50 * perYear + 3 * perVisit + south,
    intercept + 20.5 * perYear + west,
    null,
    intercept + 10 * perYear + 10 * perVisit,
    intercept + 10 * perYear + 10 * perVisit,
  ];
  assert.equal(predictions.length, 5);
  for (const [index, value] of expected.entries()) {
    if (value === null) assert.equal(predictions[index], null);
    else assert.ok(Math.abs((predictions[index] ?? 0) - value) < 1e-9 * Math.abs(value));
  }
  assert.deepEqual(await (await postJson(`${url}/models/${id}/predictions`, { rows: [] })).json(), { predictions: [] });
});

test('a row that makes no sense is refused, naming the row and the field', async ({ consortium }) => {
  const { id } = await trainOver(consortium.modelOwner, small);
  const good = [50, 3, 'south'];
  const bodies: readonly (readonly [body: unknown, status: number, field: string | undefined, detail: RegExp])[] = [
    [{ rows: [good, [50, 3, 'roof']] }, 422, 'rows[1].ward', /expected one of the declared levels north, south, west/],
    [
      { rows: [good, { age: 50, visits: 3.5, ward: 'south' }] },
      422,
      'rows[1].visits',
      /a whole number within \[0, 10\]/,
    ],
    [{ rows: [[101, 3, 'south']] }, 422, 'rows[0].age', /within \[0, 100\]; this is out of range/],
    [{ rows: [{ age: null, visits: 3, ward: 'south' }] }, 422, 'rows[0].age', /the value is missing/],
    [{ rows: [{ visits: 3, ward: 'south' }] }, 422, 'rows[0].age', /expected a value for every feature/],
    [{ rows: [{ age: 5, visits: 3, ward: 'south', floor: 2 }] }, 422, 'rows[0].floor', /the model has no such feature/],
    [{ rows: [good, good, [50, 3]] }, 422, 'rows[2]', /expected 3 values, one per feature/],
    [
      { rows: [good, [50, true, 'south']] },
      400,
      'rows.1',
      /expected an array or an object of texts, numbers and nulls/,
    ],
    [{ rows: 'all' }, 400, 'rows', /expected a list of rows/],
    [{ rows: [good], columns: [] }, 400, 'columns', /is not a known field/],
    [{}, 400, 'rows', /expected a list of rows/],
    [[good], 400, undefined, /expected object/],
  ];
  for (const [body, status, field, detail] of bodies) {
    const refusal = await refusalOf(await postJson(`${consortium.modelOwner.url}/models/${id}/predictions`, body));
    assert.deepEqual([refusal.status, refusal.field], [status, field], JSON.stringify(body));
    assert.match(refusal.detail, detail);
  }
});

test('GET /prediction is of the newest finished model, GET /predictions of all', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const evaluation = { rows: [[50, 3, 'south'], { ward: 'west', age: 20.5, visits: 0 }] };
  const view = await trainOver(consortium.modelOwner, { ...small, name: 'evaluated', evaluation });
  const newest = await getJson<PredictionView>(`${url}/prediction`);
  assert.equal(newest.model, view.id);
  assert.equal(newest.name, 'evaluated');
  assert.equal(newest.cost, view.metrics?.mse);
  assert.deepEqual(newest.metrics, view.metrics);
  assert.equal(newest.dropped_rows, 0);
  assert.equal(newest.privacy, 'no differential privacy');
  const sent = await postJson(`${url}/models/${view.id}/predictions`, evaluation);
  assert.deepEqual(newest.predictions, ((await sent.json()) as Predicted).predictions);

  const { models } = await getJson<{ models: PredictionView[] }>(`${url}/predictions`);
  assert.deepEqual(models.at(-1), newest);
  const finished = (await getJson<{ models: ModelView[] }>(`${url}/models`)).models.filter(
    ({ status }) => status === 'finished',
  );
  assert.deepEqual(
    models.map(({ model }) => model),
    finished.map(({ id }) => id),
  );

  // Once it is forgotten, the one before it is the newest.
  assert.equal((await fetch(`${url}/models/${view.id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await getJson<PredictionView>(`${url}/prediction`)).model, models.at(-2)?.model);
});

for (const sample of [logisticSample(40), softmaxSample(40)] as readonly Sample[]) {
  test(`${sample.document.model_type} predicts classes with their probabilities`, async () => {
    await using consortium = await startConsortium({ data: dealtOut(sample, 2), newKey });
    const evaluation = {
      rows: [
        [50, 3, 'south'],
        [5, 9, 'west'],
      ],
    };
    const training = { rounds: 4, learning_rate: 0.5 };
    const view = await trainOver(consortium.modelOwner, { ...sample.document, ...settings, training, evaluation });
    assert.equal(view.status, 'finished', view.failure?.detail);
    const { url } = consortium.modelOwner;
    const newest = await getJson<PredictionView>(`${url}/prediction`);
    assert.equal(newest.cost, view.metrics?.log_loss);
    assert.ok(typeof view.metrics?.accuracy === 'number');
    const { levels } = sample.document.data_props.target as { levels: string[] };
    const parameters = await getJson<{ classes: string[]; coefficients: unknown[] }>(
      `${url}/models/${view.id}/parameters`,
    );
    assert.deepEqual(parameters.classes, levels);
    assert.equal(newest.predictions.length, 2);
    for (const prediction of newest.predictions) {
      assert.ok(typeof prediction === 'object' && levels.includes(prediction.class));
      if ('probability' in prediction) {
        assert.ok(prediction.probability >= 0.5 && prediction.probability <= 1);
        continue;
      }
      const { probabilities } = prediction;
      assert.deepEqual(Object.keys(probabilities), levels);
      const values = Object.values(probabilities);
      assert.ok(Math.abs(values.reduce((sum, each) => sum + each, 0) - 1) < 1e-12);
      assert.equal(probabilities[prediction.class], Math.max(...values));
    }
  });
}

test("the model owner's own evaluation file goes before the rows in model.json", async ({ consortium }) => {
  const { cast, facilitator, folder } = consortium;
  const evaluationFile = await folder.write('evaluation.csv', 'ward,visits,age\nsouth,3,50\n\nwest,0,20.5\n');
  await using modelOwner = await startModelOwner(cast, facilitator.url, { newKey, evaluationFile });
  const view = await trainOver(modelOwner, { ...small, evaluation: { rows: [[1, 1, 'north']] } });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const { predictions } = await getJson<PredictionView>(`${modelOwner.url}/prediction`);
  const rows = [
    [50, 3, 'south'],
    [20.5, 0, 'west'],
  ];
  const sent = await postJson(`${modelOwner.url}/models/${view.id}/predictions`, { rows });
  assert.deepEqual(predictions, ((await sent.json()) as Predicted).predictions);
});

test('an evaluation file that does not fit the model is refused by line and column before anything is trained', async ({
  consortium,
}) => {
  const { cast, facilitator, folder } = consortium;
  const files: readonly (readonly [
    text: string,
    field: string | undefined,
    line: number | undefined,
    detail: RegExp,
  ])[] = [
    [
      'age,visits\n50,3\n',
      'ward',
      1,
      /^the model owner's evaluation file: ward: the header has no such column among its 2 /,
    ],
    ['age,visits,ward\n50,3,south\n\n50,3,roof\n', 'ward', 4, /: line 4, ward: expected one of the declared levels/],
    ['age,visits,ward\n50,3,south\n,3,south\n', 'age', 3, /: line 3, age: the value is missing/],
    ['age,visits,ward\n50,3\n', undefined, 2, /: line 2 has 2 values where line 1 has 3/],
    ['', undefined, undefined, /: the data file is empty/],
  ];
  for (const [index, [text, field, line, detail]] of files.entries()) {
    const evaluationFile = await folder.write(`evaluation-${index}.csv`, text);
    await using modelOwner = await startModelOwner(cast, facilitator.url, { newKey, evaluationFile });
    const problem = await problemOf(await postJson(`${modelOwner.url}/models`, small));
    assert.deepEqual([problem.status, problem.field, problem.line], [422, field, line], text);
    assert.match(problem.detail, detail);
    assert.deepEqual(await getJson(`${modelOwner.url}/models`), { models: [] });
  }
});

/** `small` with something changed in it: `data_props.target.range` and the like, or a whole field. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(small) as Record<string, unknown>;
  let place = copy;
  const parts = path.split('.');
  const last = parts.pop() ?? '';
  for (const part of parts) {
    const next = (place[part] ?? {}) as Record<string, unknown>;
    place[part] = next;
    place = next;
  }
  place[last] = value;
  return copy;
}

test('a model that makes no sense is refused at once, naming the field', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const before = (await getJson<{ models: unknown[] }>(`${url}/models`)).models.length;
  const nonsense: readonly (readonly [document: unknown, field: string, detail?: RegExp])[] = [
    [null, 'model', /expected an object/],
    [[small], 'model'],
    [{}, 'model_type'],
    [changed('model_type', 'TREE'), 'model_type', /expected one of LINEAR_REGRESSION/],
    [changed('model_typo', 1), 'model_typo', /unknown field/],
    [changed('data_props', undefined), 'data_props'],
    [changed('data_props.features', []), 'data_props.features'],
    [changed('data_props.features.0.range', [100, 0]), 'data_props.features[0].range', /\[low, high\] with low < high/],
    [changed('data_props.features.0.type', 'ratio'), 'data_props.features[0].type'],
    [changed('data_props.features.2.levels', ['north']), 'data_props.features[2].levels'],
    [changed('data_props.features.1.name', 'age'), 'data_props.features[1].name', /used once/],
    [changed('data_props.target.name', 'age'), 'data_props.target.name', /used once/],
    [changed('data_props.features.0.missing', 200), 'data_props.features[0].missing'],
    [changed('data_props.target.missing', 3), 'data_props.target.missing'],
    [changed('data_props.header', 'yes'), 'data_props.header'],
    [changed('training', { solver: 'guess' }), 'training.solver'],
    [changed('training', { solver: 'gradient', rounds: 0 }), 'training.rounds'],
    [changed('training', { solver: 'gradient', learning_rate: -1 }), 'training.learning_rate'],
    [changed('training', { solver: 'normal-equations', rounds: 3 }), 'training.rounds', /not a setting of this solver/],
    [{ ...softmaxSample(3).document, training: { solver: 'normal-equations' } }, 'training.solver'],
    [changed('encryption.key_bits', 1024), 'encryption.key_bits', /from 2048 to 8192/],
    [changed('encryption.fraction_bits', 8), 'encryption.fraction_bits'],
    [changed('participation.quorum', 1), 'participation.quorum'],
    [changed('participation.deadline_seconds', 0), 'participation.deadline_seconds'],
    [changed('participation.roster', ['owner-1']), 'participation.quorum', /at most 1/],
    [changed('participation.roster', ['owner-1', 'owner 2']), 'participation.roster[1]', /letters, digits/],
    [changed('privacy', { epsilon: 1 }), 'privacy'],
    [changed('privacy', { epsilon: -1, delta: 1e-6 }), 'privacy.epsilon'],
    [changed('evaluation', { rows: [[1, 2, 'roof']] }), 'evaluation.rows[0].ward'],
  ];
  for (const [document, field, detail] of nonsense) {
    const refusal = await refusalOf(await postJson(`${url}/models`, document));
    assert.deepEqual(
      [refusal.status, refusal.type, refusal.field],
      [422, 'model-invalid', field],
      JSON.stringify(document),
    );
    assert.ok(refusal.detail.includes(field), refusal.detail);
    if (detail !== undefined) assert.match(refusal.detail, detail);
  }
  const { models } = await getJson<{ models: unknown[] }>(`${url}/models`);
  assert.equal(models.length, before);
});

test('a request that makes no sense is refused as one', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const json = { 'content-type': 'application/json' };
  const broken = await refusalOf(
    await fetch(`${url}/models`, { method: 'POST', body: '{"model_type"', headers: json }),
  );
  assert.deepEqual([broken.status, broken.field], [400, 'body']);
  const untold = await refusalOf(await fetch(`${url}/models`, { method: 'POST', body: JSON.stringify(small) }));
  assert.equal(untold.status, 415);
  assert.match(untold.detail, /--json/);
  const few = await refusalOf(await postJson(`${url}/models`, changed('participation.quorum', 3)));
  assert.deepEqual([few.status, few.type, few.field], [409, 'owners-too-few', 'participation.quorum']);
  assert.match(few.detail, /^too few data owners are in the roster file: 2, and the quorum is 3; invite more/);
  for (const path of ['/models/nothing', '/models/nothing/parameters', '/nothing'])
    assert.equal((await problemOf(await fetch(url + path))).status, 404);
  assert.equal((await problemOf(await postJson(`${url}/models/nothing/predictions`, { rows: [] }))).status, 404);
});

interface DocumentSchema {
  readonly anyOf?: readonly { readonly required: readonly string[]; readonly properties: object }[];
}

test('says how it fares and describes itself', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  assert.deepEqual(await getJson(`${url}/healthz`), { status: 'ok' });
  assert.deepEqual(await getJson(`${url}/readyz`), { status: 'ready' });
  const { paths } = await getJson<{ paths: Record<string, Record<string, { responses: object }>> }>(
    `${url}/openapi.json`,
  );
  for (const [path, operations] of Object.entries(paths))
    for (const { responses } of Object.values(operations)) assert.ok('default' in responses, path);
  const { components } = await getJson<{ components: { schemas: Record<string, DocumentSchema> } }>(
    `${url}/openapi.json`,
  );
  const [training, statistics] = components.schemas['model.json']?.anyOf ?? [];
  // The form of the dashboard sends people here for all fields.
  assert.deepEqual(training?.required, ['model_type', 'data_props']);
  assert.deepEqual(Object.keys(training.properties).sort(), [
    'data_props',
    'encryption',
    'evaluation',
    'model_type',
    'model_visibility',
    'name',
    'participation',
    'privacy',
    'training',
  ]);
  const said = JSON.stringify(training);
  for (const field of ['"rounds":{"default":200', '"enum":["model-owner","facilitator","data-owners"]', '"bins"'])
    assert.ok(said.includes(field), field);
  assert.ok('statistics' in (statistics?.properties ?? {}));
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.sort(), [
    'DELETE /models/{id}',
    'GET /models',
    'GET /models/{id}',
    'GET /models/{id}/card',
    'GET /models/{id}/events',
    'GET /models/{id}/export',
    'GET /models/{id}/parameters',
    'GET /models/{id}/plots/{plot}',
    'GET /models/{id}/predictions',
    'GET /models/{id}/rounds',
    'GET /models/{id}/statistics',
    'GET /prediction',
    'GET /predictions',
    'POST /models',
    'POST /models/{id}/predictions',
  ]);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /http_request/);
  assert.match(await (await fetch(`${url}/docs`)).text(), /sealsum model owner/);
});

test('with a token it is for those who have it; whether it is well anybody may ask', async ({ consortium }) => {
  const { cast, facilitator } = consortium;
  const token = 'a-token-of-more-than-thirty-two-characters';
  await using modelOwner = await startModelOwner(cast, facilitator.url, { newKey, token });
  const { url } = modelOwner;
  for (const path of ['/models', '/prediction', '/predictions', '/metrics', '/models/nothing/events'])
    for (const headers of [{}, { authorization: `Bearer ${token}x` }, { authorization: token }]) {
      const refusal = await refusalOf(await fetch(url + path, { headers }));
      assert.deepEqual(
        [refusal.status, refusal.type, refusal.field],
        [401, 'signature-missing', 'Authorization'],
        path,
      );
    }
  assert.equal((await postJson(`${url}/models`, small)).status, 401);
  assert.equal((await fetch(`${url}/models/nothing`, { method: 'DELETE' })).status, 401);
  const headers = { authorization: `Bearer ${token}` };
  assert.deepEqual(await (await fetch(`${url}/models`, { headers })).json(), { models: [] });
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs'])
    assert.equal((await fetch(url + path)).status, 200, path);
});

test('pages of other sites and foreign names get nothing', async ({ consortium }) => {
  const { url } = consortium.modelOwner;
  const headers = { origin: 'https://elsewhere.example', 'content-type': 'application/json' };
  const posted = await fetch(`${url}/models`, { method: 'POST', body: JSON.stringify(small), headers });
  assert.equal((await refusalOf(posted)).type, 'role-forbidden');
});

test('is not ready while the facilitator does not answer', async () => {
  const cast = createCast(2);
  const facilitator = await startFacilitator({ cast });
  await facilitator[Symbol.asyncDispose]();
  await using modelOwner = await startModelOwner(cast, facilitator.url, { newKey });
  const response = await fetch(`${modelOwner.url}/readyz`);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: 'not ready', reason: 'the facilitator does not answer' });
});

const prototype = sharedText('data/prototype-model.json');
const diabetes = sharedText('data/diabetes.tsv');
const name = "the earlier prototype's model.json is accepted unchanged and reaches the reference figures";
if (prototype === undefined || diabetes === undefined) test.skip(name);
else
  test(name, async () => {
    const lines = diabetes.trim().split('\n');
    const data = [0, 1, 2].map((owner) => `${lines.filter((_, index) => index % 3 === owner).join('\n')}\n`);
    await using consortium = await startConsortium({ data });
    const { url } = consortium.modelOwner;
    const headers = { 'content-type': 'application/json' };
    const posted = await fetch(`${url}/models`, { method: 'POST', body: prototype, headers });
    assert.equal(posted.status, 202);
    const { id, settings: filled } = (await posted.json()) as ModelView;
    assert.deepEqual(filled, {
      training: { solver: 'normal-equations', l1: 0, l2: 0 },
      encryption: { key_bits: 3072, fraction_bits: 40 },
      participation: { quorum: 2, deadline_seconds: 30, max_records: 2 ** 20 },
    });
    const view = await over(consortium.modelOwner, id);
    assert.equal(view.status, 'finished', view.failure?.detail);
    assert.ok(Math.abs((view.metrics?.mse ?? 0) - 2859.6904) < 1e-3);
  });

test.run();
