/** Profiles over real sockets: plain vectors and state dictionaries go in as they are, and come out as such. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type AggregationProfile, collectAs, submitAs } from '../../src/profiles/profile.ts';
import { plainVectors, stateDictionaries } from '../../src/profiles/profiles.ts';
import { readSafetensors, type StateDictionary, writeSafetensors } from '../../src/profiles/safetensors.ts';
import { setStage } from '../vector-sum/stage.ts';

const test = suite('aggregation profiles');

function dictionary(weight: readonly number[], bias: number): StateDictionary {
  return {
    tensors: new Map([
      ['weight', { shape: [2, 2], values: Float64Array.from(weight) }],
      ['bias', { shape: [], values: Float64Array.of(bias) }],
    ]),
    types: new Map([
      ['weight', 'F32'],
      ['bias', 'F16'],
    ]),
    metadata: { format: 'pt' },
  };
}

test('state dictionaries: the weighted mean of files is a file of the same kind', async () => {
  const template = writeSafetensors(dictionary([0, 0, 0, 0], 0));
  const profile = stateDictionaries({ template, bound: 16, maxWeight: 10 });
  await using stage = await setStage();
  const job = await stage.job({ ...profile.aggregate(), quorum: 3 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  const given = [dictionary([1, 2, 3, 4], 0.5), dictionary([-1, 0, 1, 8], 2), dictionary([0, 0.25, 0, 0], -1)];
  const weights = [1, 3, 4];
  await Promise.all(
    stage.clients.map((client, index) => {
      const each = given[index];
      assert.ok(each !== undefined);
      // As a file, as what a file says, and as tensors alone.
      const shown = [writeSafetensors(each), each, each.tensors][index];
      return submitAs(profile, client, job, round, shown as Uint8Array, { weight: weights[index] ?? 0 });
    }),
  );
  const { aggregated, collected } = await collectAs(profile, round);
  assert.equal(collected.weight, 8);
  const back = readSafetensors(writeSafetensors(aggregated));
  assert.deepEqual([...(back.tensors.get('weight')?.values ?? [])], [-0.25, 0.375, 0.75, 3.5]);
  assert.deepEqual([...(back.tensors.get('bias')?.values ?? [])], [0.3125]);
  assert.deepEqual(back.metadata, { format: 'pt' });
  assert.equal(back.types.get('bias'), 'F16');
});

test('what does not fit the template, or the job, is refused by its name before anything is charged', async () => {
  const profile = stateDictionaries({ template: dictionary([0, 0, 0, 0], 0), norm: 1 });
  await using stage = await setStage();
  const job = await stage.job({ ...profile.aggregate(), privacy: { rho: 1 } });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  const { tensors } = dictionary([0, 0, 0, 0], 0);
  const vector = { shape: [4], values: new Float64Array(4) };
  for (const [given, code, field] of [
    [new Map(tensors).set('weight', vector), 'data_invalid', 'tensor "weight"'],
    [new Map([...tensors].slice(1)), 'data_invalid', 'tensor "weight"'],
    [new Map(tensors).set('more', vector), 'data_invalid', 'tensor "more"'],
    [dictionary([0, Number.NaN, 0, 0], 0), 'number_not_finite', 'tensor "weight" value 1'],
    [new Uint8Array(9), 'data_invalid', 'header'],
    [undefined, 'data_invalid', 'tensors'],
    [{ tensors: 1 }, 'data_invalid', 'tensors'],
  ] as const)
    await assert.rejects(submitAs(profile, client, job, round, given as never), { code, field });
  const vectors = plainVectors({ length: 5, bound: 1 });
  await assert.rejects(submitAs(vectors, client, job, round, [0, 0, 0, 0, 0]), {
    code: 'plan_mismatch',
    field: 'bound',
  });
  assert.equal((await client.ledger()).rounds, 0);
});

test('a profile of one’s own: counts of words, by the four steps', async () => {
  const words = ['ja', 'nein'];
  const counts: AggregationProfile<string, string[], Map<string, number>> = {
    prepare: (text) => text.split(' '),
    encode: (each) => Float64Array.from(words, (word) => each.filter((said) => said === word).length),
    aggregate: () => ({ length: 2, bits: 32, bound: 1024 }),
    decode: ({ sum }) => new Map(words.map((word, index) => [word, sum[index] ?? 0])),
  };
  const plain = plainVectors({ length: 2, bound: 1024, result: 'mean' });
  await using stage = await setStage();
  const job = await stage.job({ ...counts.aggregate(), rounds: 2 });
  await Promise.all(stage.clients.map((client) => client.join(job)));
  const round = await job.startRound();
  await Promise.all(stage.clients.map((client) => submitAs(counts, client, job, round, 'ja nein ja')));
  assert.deepEqual(
    [...(await collectAs(counts, round)).aggregated],
    [
      ['ja', 6],
      ['nein', 3],
    ],
  );
  const next = await job.startRound();
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  await assert.rejects(submitAs(plain, client, job, next, ['1', 2] as never), {
    code: 'number_not_finite',
    field: 'value 0',
  });
  await assert.rejects(submitAs(plain, client, job, next, null as never), { code: 'data_invalid', field: 'vector' });
  await Promise.all(stage.clients.map((each, index) => submitAs(plain, each, job, next, [index, -3])));
  assert.deepEqual([...(await collectAs(plain, next)).aggregated], [1, -3]);
});

test.run();
