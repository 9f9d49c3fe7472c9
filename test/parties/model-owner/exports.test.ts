/** Models that people take away: files and cards as a model owner answers them, and what others hold of the same rounds. */
import assert from 'node:assert/strict';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import { suite } from 'uvu';
import type { ModelCard } from '../../../parties/model-owner/model-card.ts';
import type { ModelView } from '../../../parties/model-owner/views.ts';
import type { Problem } from '../../../src/http/problem.ts';
import { readExportedModel } from '../../../src/learning/export/exported-model.ts';
import type { Prediction } from '../../../src/learning/prediction.ts';
import { jobIdSchema } from '../../../src/protocol/identifiers.ts';
import { objectDigest } from '../../../src/protocol/signed.ts';
import { dealtOut, linearSample } from '../../end-to-end/data.ts';
import { oneKey } from '../../end-to-end/keys.ts';
import {
  askFacilitator,
  type Consortium,
  clientOf,
  getJson,
  postJson,
  postModel,
  startConsortium,
  startModelOwner,
  trainOver,
} from '../../end-to-end/parties.ts';
import { document as statistics } from '../../learning/statistics/setting.ts';

interface Context {
  consortium: Consortium;
  trained: ModelView;
}

const test = suite<Context>('models that people take away');

const newKey = await oneKey();
const sample = linearSample(40);
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 2, deadline_seconds: 600 } };
const small = { name: 'Länge | of stay', ...sample.document, ...settings };
const gradient = { solver: 'gradient', rounds: 1 };
const rows = [
  { age: 50, visits: 3, ward: 'south' },
  { age: 20.5, visits: 0, ward: 'west' },
  { age: 0, visits: 10, ward: 'north' },
];

test.before(async (context) => {
  context.consortium = await startConsortium({ data: dealtOut(sample, 3), newKey });
  context.trained = await trainOver(context.consortium.modelOwner, { ...small, training: gradient });
  assert.equal(context.trained.status, 'finished', context.trained.failure?.detail);
});

test.after(async (context) => {
  await context.consortium[Symbol.asyncDispose]();
});

async function predicted({ modelOwner }: Consortium, id: string): Promise<Prediction[]> {
  const answer = await postJson(`${modelOwner.url}/models/${id}/predictions`, { rows });
  return ((await answer.json()) as { predictions: Prediction[] }).predictions;
}

async function file(url: string, mediaType: string, ending: string): Promise<Response> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), mediaType);
  const named = response.headers.get('content-disposition') ?? '';
  assert.match(named, /^attachment; filename="Lange-of-stay-[0-9a-f]{8}[-.a-z]+"$/);
  assert.ok(named.endsWith(`${ending}"`), named);
  return response;
}

test('the JSON file predicts what the model owner predicts, bit for bit', async ({ consortium, trained }) => {
  const address = `${consortium.modelOwner.url}/models/${trained.id}/export`;
  const read = readExportedModel(await (await file(address, 'application/json', '.json')).text());
  assert.deepEqual(read.predict(rows), await predicted(consortium, trained.id));
  assert.deepEqual(
    read.document.coefficients,
    (await getJson<{ coefficients: number[] }>(`${consortium.modelOwner.url}/models/${trained.id}/parameters`))
      .coefficients,
  );
  const { program, ...origin } = read.document.origin;
  assert.match(program, /^sealsum \d+\.\d+\.\d+/);
  assert.deepEqual(origin, {
    model: trained.id,
    name: small.name,
    finished_at: trained.ended_at,
    privacy: 'no differential privacy',
  });
});

test('ONNX Runtime reads the ONNX file, and PMML says the coefficients', async ({ consortium, trained }) => {
  const address = `${consortium.modelOwner.url}/models/${trained.id}/export`;
  const onnx = await file(`${address}?format=onnx`, 'application/octet-stream', '.onnx');
  const session = await InferenceSession.create(new Uint8Array(await onnx.arrayBuffer()));
  const { prediction } = await session.run({
    age: new Tensor(
      'float64',
      Float64Array.from(rows, ({ age }) => age),
      [3, 1],
    ),
    visits: new Tensor(
      'float64',
      Float64Array.from(rows, ({ visits }) => visits),
      [3, 1],
    ),
    ward: new Tensor(
      'string',
      rows.map(({ ward }) => ward),
      [3, 1],
    ),
  });
  const values = [...((prediction?.data ?? []) as Float64Array)];
  for (const [index, expected] of (await predicted(consortium, trained.id)).entries())
    assert.ok(Math.abs((values[index] ?? Number.NaN) - Number(expected)) < 1e-9);
  await session.release();

  const pmml = await (await file(`${address}?format=pmml`, 'application/xml', '.pmml')).text();
  const { columns, coefficients } = await getJson<{ columns: string[]; coefficients: number[] }>(
    `${consortium.modelOwner.url}/models/${trained.id}/parameters`,
  );
  assert.deepEqual(columns, ['intercept', 'age', 'visits', 'ward=south', 'ward=west']);
  assert.ok(pmml.includes(`<NumericPredictor name="age" coefficient="${coefficients[1]}"/>`));
  assert.ok(pmml.includes(`<CategoricalPredictor name="ward" value="west" coefficient="${coefficients[4]}"/>`));
});

test("the card's digests are those that facilitator and owners hold of the same rounds", async ({
  consortium,
  trained,
}) => {
  const { cast, facilitator, modelOwner, owners } = consortium;
  const card = await getJson<ModelCard>(`${modelOwner.url}/models/${trained.id}/card?format=json`);
  assert.deepEqual(
    card.rounds.map(({ round, contributors }) => [round, contributors]),
    [
      [1, 3],
      [2, 3],
    ],
  );
  const job = jobIdSchema.parse(trained.id);
  const client = clientOf(cast.owners[0] ?? cast.modelOwner, facilitator.url);
  const { signal } = new AbortController();
  for (const { round, digests } of card.rounds) {
    // The facilitator's manifest, as it answers an owner who asks it.
    const { manifest } = (await client.round(job, round, signal)).manifest ?? assert.fail('no manifest');
    assert.equal(digests?.manifest, objectDigest('manifest', manifest));
    assert.equal(digests.aggregate, manifest.aggregate_digest);
    assert.equal(digests.round, manifest.round_digest);
    // And every owner's own receipts, which it keeps when the facilitator has forgotten the round.
    for (const { dataOwner } of owners) {
      const receipt = (await dataOwner.receipts(job)).find((each) => each.receipt.round === round)?.receipt;
      assert.equal(receipt?.round_digest, digests.round);
      assert.ok(manifest.contributions.some(({ digest }) => digest === receipt.digest));
    }
  }
  assert.equal(
    new Set(card.rounds.flatMap(({ digests }) => [digests?.round, digests?.manifest, digests?.aggregate])).size,
    6,
  );
  const { descriptor } = await askFacilitator<{ descriptor: { job: string } }>(consortium, `/jobs/${trained.id}`);
  assert.equal(descriptor.job, card.model);
});

test('the card says what the model owner says, as JSON and in words', async ({ consortium, trained }) => {
  const address = `${consortium.modelOwner.url}/models/${trained.id}`;
  const card = await getJson<ModelCard>(`${address}/card?format=json`);
  assert.deepEqual(card.metrics, trained.metrics);
  assert.deepEqual(card.privacy, trained.privacy);
  assert.deepEqual(card.settings, trained.settings);
  assert.deepEqual(card.owners, trained.owners);
  assert.deepEqual(card.parameters, await getJson(`${address}/parameters`));
  assert.equal(card.finished_at, trained.ended_at);

  const text = await (await file(`${address}/card`, 'text/markdown; charset=utf-8', '-card.md')).text();
  assert.ok(text.startsWith('# Model card: Länge \\| of stay\n'));
  for (const title of [
    'Data',
    'Data owners',
    'Training',
    'How well it fits',
    'Privacy',
    'Coefficients',
    'Rounds',
    'Limitations',
  ])
    assert.ok(text.includes(`\n## ${title}\n\n`), title);
  for (const line of [
    '**no differential privacy**',
    ...trained.privacy.does_not_protect_against.map((each) => `- ${each}`),
    ...card.limitations.map((each) => `- ${each}`),
    '| age | feature | continuous | 0 to 100 | refused |  |',
    '| ward | feature | nominal | north, south, west | refused |  |',
    '| owner-1 | ready |',
    '3 of 3 contributed to a round; with fewer than 2 there would have been no sum.',
    ...card.rounds.map(
      ({ round, digests }) => `| ${round} | 3 | ${digests?.round} | ${digests?.manifest} | ${digests?.aggregate} |`,
    ),
  ])
    assert.ok(text.includes(`${line}\n`), line);
  // Every line of a table has as many cells as the one before it.
  const widths = text.split('\n').map((line) => (line.startsWith('|') ? line.split(/(?<!\\)\|/).length : 0));
  for (const [index, width] of widths.entries()) {
    const before = widths[index - 1] ?? 0;
    assert.ok(width === 0 || before === 0 || width === before, text.split('\n')[index]);
  }
});

test('a private model shows promise and spending in its card', async ({ consortium }) => {
  // The noise on the number of records has a deviation of 0.92: it outweighs these 40 with a chance below 1e-300. (At ε = 1 it is 26.)
  const privacy = { epsilon: 50, delta: 1e-6 };
  const view = await trainOver(consortium.modelOwner, { ...small, training: { ...gradient, l2: 1 }, privacy });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const response = await fetch(`${consortium.modelOwner.url}/models/${view.id}/card`);
  const text = await response.text();
  assert.ok(view.privacy.guarantee !== 'no differential privacy');
  assert.ok(text.includes(`**${view.privacy.guarantee}**\n`));
  const { spent } = view.privacy;
  assert.match(text, new RegExp(`\\| spent \\| 2 \\| ${Number(spent.rho.number.toPrecision(8))} \\| `));
  assert.ok(text.includes('- Who adds the noise: model-owner\n'));
  for (const each of [...view.privacy.protects_against, ...view.privacy.does_not_protect_against])
    assert.ok(text.includes(`- ${each}\n`), each);
});

test('of parameters that owners are not to see the card tells nothing, and the file is the model owner’s own', async ({
  consortium,
}) => {
  const { url } = consortium.modelOwner;
  const view = await trainOver(consortium.modelOwner, { ...small, model_visibility: 'encrypted', training: gradient });
  assert.equal(view.status, 'finished', view.failure?.detail);
  const card = await getJson<ModelCard>(`${url}/models/${view.id}/card?format=json`);
  assert.equal('parameters' in card, false);
  const text = await (await fetch(`${url}/models/${view.id}/card`)).text();
  assert.match(text, /## Coefficients\n\nNot shown: data owners were not to see them/);
  const { coefficients } = await getJson<{ coefficients: number[] }>(`${url}/models/${view.id}/parameters`);
  for (const each of coefficients) assert.ok(!text.includes(String(each).slice(0, 8)));
  const read = readExportedModel(await (await fetch(`${url}/models/${view.id}/export`)).text());
  assert.deepEqual(read.document.coefficients, coefficients);
});

test('what there is not is refused, naming it', async ({ consortium, trained }) => {
  const { url } = consortium.modelOwner;
  const waiting = await postModel(consortium.modelOwner, {
    ...small,
    participation: { ...settings.participation, target_owners: 3, roster: ['owner-1', 'owner-2', 'owner-3'] },
    training: { ...gradient, rounds: 5000 },
  });
  const counting = await postModel(consortium.modelOwner, { ...statistics, ...settings });
  for (const [path, status, type, field, detail] of [
    ['none/export', 404, 'model-unknown', 'id', /there is no model none/],
    ['none/card', 404, 'model-unknown', 'id', /there is no model none/],
    [`${waiting}/export`, 404, 'model-unfinished', 'id', /is (preparing|waiting|training)/],
    [`${waiting}/card`, 404, 'model-unfinished', 'id', /is (preparing|waiting|training)/],
    [`${counting}/export?format=onnx`, 422, 'model-invalid', 'model_type', /STATISTICS has no parameters to export/],
    [`${counting}/card`, 422, 'model-invalid', 'model_type', /STATISTICS has no model card/],
    [`${trained.id}/export?format=pickle`, 400, 'message-invalid', 'format', /expected one of json, pmml, onnx/],
    [`${trained.id}/export?as=json`, 400, 'message-invalid', 'as', /is not a known field/],
    [`${trained.id}/card?format=pdf`, 400, 'message-invalid', 'format', /expected one of markdown, json/],
  ] as const) {
    const problem = (await (await fetch(`${url}/models/${path}`)).json()) as Problem;
    assert.deepEqual(
      [problem.status, problem.type, problem.field],
      [status, `urn:sealsum:problem:${type}`, field],
      `${path}: ${problem.detail}`,
    );
    assert.match(problem.detail, detail);
  }
  assert.equal((await fetch(`${url}/models/${waiting}`, { method: 'DELETE' })).status, 204);
});

test('a model owner that is started anew has the card as it was', async ({ consortium }) => {
  const { cast, facilitator } = consortium;
  await using first = await startModelOwner(cast, facilitator.url, { newKey });
  const { id } = await trainOver(first, { ...small, training: gradient });
  const before = await (await fetch(`${first.url}/models/${id}/card`)).text();
  await first.stop();
  await using second = await startModelOwner(cast, facilitator.url, { newKey, database: first.database });
  assert.equal(await (await fetch(`${second.url}/models/${id}/card`)).text(), before);
});

test.run();
