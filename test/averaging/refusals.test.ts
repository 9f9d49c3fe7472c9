/** Whatever is asked or given wrongly in an averaging is refused by name: nothing is sent, nothing is lost. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createAveragingJob } from '../../src/averaging/averaging-job.ts';
import type { AveragingOptions } from '../../src/averaging/options.ts';
import { participate, type Trained } from '../../src/averaging/participate.ts';
import { type NamedTensors, tensorOf } from '../../src/averaging/tensors.ts';
import type { SealsumError } from '../../src/errors.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { setStage } from '../vector-sum/stage.ts';
import { modelOf, small, takePart } from './stage.ts';

const test = suite('refusals of averagings');

const far = new Map([...modelOf([0, 0]), ['variance', tensorOf([1, 8.5])]]);
const broken = { shape: [1, 1], values: Float64Array.of(Number.NaN) };
const hidden = { norm: 1, privacy: { rho: 1 } } as const;

test('options that make no sense are refused by name, and no job is made', async () => {
  await using stage = await setStage();
  for (const [options, code, field] of [
    [{ clipingRange: 8 }, 'model_invalid', 'clipingRange'],
    [{ clippingRange: 0 }, 'model_invalid', 'clippingRange'],
    [{ clippingRange: Number.NaN }, 'model_invalid', 'clippingRange'],
    [{ quantizationRange: 0 }, 'model_invalid', 'quantizationRange'],
    [{ quantizationRange: 4095 }, 'model_invalid', 'quantizationRange'],
    [{ quantizationRange: 2 ** 53 }, 'model_invalid', 'quantizationRange'],
    [{ maxWeight: 0 }, 'model_invalid', 'maxWeight'],
    [{ maxWeight: 0.5 }, 'model_invalid', 'maxWeight'],
    [{ timeout: 0 }, 'model_invalid', 'timeout'],
    [{ timeout: 86_401 }, 'model_invalid', 'timeout'],
    [{ reconstructionThreshold: 0 }, 'model_invalid', 'reconstructionThreshold'],
    [{ reconstructionThreshold: 2.5 }, 'model_invalid', 'reconstructionThreshold'],
    [{ reconstructionThreshold: 4 }, 'owners_too_few', 'reconstructionThreshold'],
    [{ fractionFit: 1.1 }, 'model_invalid', 'fractionFit'],
    [{ minFitClients: 0 }, 'model_invalid', 'minFitClients'],
    [{ minFitClients: 4 }, 'owners_too_few', 'minFitClients'],
    [{ minAvailableClients: 4 }, 'owners_too_few', 'minAvailableClients'],
    [{ roster: ['owner-1', 'owner-2'], minFitClients: 3 }, 'owners_too_few', 'minFitClients'],
    [{ roster: ['owner-1', 'nobody'] }, 'party_unknown', undefined],
    [{ rounds: 0 }, 'model_invalid', 'rounds'],
    [{ sends: 'gradients' }, 'model_invalid', 'averaging.sends'],
    [{ strategy: 'FedAvg' }, 'model_invalid', 'strategy'],
    [{ memory: [new Float64Array(3)] }, 'model_invalid', 'memory'],
    [{ memory: [[1, 2]] }, 'model_invalid', 'memory[0]'],
    [{ configure: { localEpochs: 1 } }, 'model_invalid', 'configure'],
    [{ configure: () => ({ ' ': 1 }) }, 'model_invalid', 'averaging.settings[0]'],
    [{ metrics: ['loss', 'loss'] }, 'model_invalid', 'averaging.metrics'],
    [{ select: ['slope', 'slop'] }, 'model_invalid', 'select'],
    [{ select: /^conv/ }, 'model_invalid', 'select'],
    [{ select: () => false }, 'model_invalid', 'select'],
    [{ initial: undefined }, 'data_invalid', 'tensors'],
    [{ initial: new Map() }, 'model_invalid', 'select'],
    [{ initial: new Map([['slope', broken]]) }, 'number_not_finite', 'tensor "slope" value 0'],
    [{ initial: far }, 'number_out_of_bounds', 'tensor "variance" value 1'],
    [{ ...hidden }, 'model_invalid', 'averaging.sends'],
    [{ ...hidden, sends: 'updates', clippingRange: 8 }, 'model_invalid', 'clippingRange'],
    [{ ...hidden, sends: 'updates', maxWeight: 10 }, 'model_invalid', 'max_weight'],
    [{ ...hidden, sends: 'updates', metrics: ['loss'] }, 'model_invalid', 'averaging.metrics'],
    [{ privacy: { rho: 1 } }, 'model_invalid', 'bound'],
  ] as const)
    await assert.rejects(
      createAveragingJob(stage.controller, { ...small, ...(options as unknown as AveragingOptions) }),
      (error: SealsumError) => error.code === code && (field === undefined || error.field === field),
      JSON.stringify(options),
    );
  assert.deepEqual(await stage.clients[0]?.jobs(), []);
  // What is refused where it would travel does not matter where it does not.
  const averaging = await createAveragingJob(stage.controller, { ...small, initial: far, select: ['slope'] });
  assert.equal(averaging.sum.length, 1);
});

test('what a training gives is refused by name before it is charged or sent, and the round waits for another', async () => {
  await using stage = await setStage({ owners: 2 });
  const store = memoryClientStore();
  const client = stage.client(0, { store });
  const options = { ...small, maxWeight: 10, metrics: ['loss'], rounds: 2 };
  const averaging = await createAveragingJob(stage.controller, options);
  const other = takePart({
    client: stage.clients[1] ?? client,
    job: averaging,
    train: (parameters) => ({ parameters, weight: 1, metrics: { loss: 0 } }),
  });
  const good = { parameters: modelOf([1, 1]), weight: 1, metrics: { loss: 1 } };
  const slope = tensorOf([1], [1, 1]);
  const round = averaging.next();
  round.catch(() => undefined);
  for (const [given, code, field] of [
    [undefined, 'data_invalid', 'train'],
    [{ ...good, parameters: undefined }, 'data_invalid', 'tensors'],
    [{ ...good, parameters: { slope } }, 'data_invalid', 'tensors'],
    [{ ...good, parameters: new Map([['slope', slope]]) }, 'data_invalid', 'tensor "intercept"'],
    [{ ...good, parameters: new Map([...good.parameters, ['bias', slope]]) }, 'data_invalid', 'tensor "bias"'],
    [
      { ...good, parameters: new Map([...good.parameters, ['slope', tensorOf([1])]]) },
      'data_invalid',
      'tensor "slope"',
    ],
    [
      { ...good, parameters: new Map([...good.parameters, ['intercept', { shape: [], values: broken.values }]]) },
      'number_not_finite',
      'tensor "intercept" value 0',
    ],
    [{ parameters: good.parameters, metrics: good.metrics }, 'data_invalid', 'weight'],
    [{ ...good, weight: 11 }, 'number_out_of_bounds', 'weight'],
    [{ ...good, weight: -1 }, 'number_out_of_bounds', 'weight'],
    [{ ...good, weight: 1.5 }, 'number_out_of_bounds', 'weight'],
    [{ ...good, metrics: {} }, 'data_invalid', 'metrics.loss'],
    [{ ...good, metrics: { loss: 1, accuracy: 1 } }, 'data_invalid', 'metrics.accuracy'],
    [{ ...good, metrics: { loss: Number.POSITIVE_INFINITY } }, 'number_not_finite', 'metrics.loss'],
  ] as const)
    await assert.rejects(
      participate({ client, job: averaging, train: () => given as unknown as Trained }),
      (error: SealsumError) => error.code === code && error.field === field,
      `${code} ${field}`,
    );
  await assert.rejects(
    participate({ client, job: averaging, train: () => Promise.reject(new Error('no memory')) }),
    /no memory/,
  );
  assert.deepEqual(await store.jobs.receipts(averaging.id), []);
  assert.deepEqual(await store.ledger.entries(), []);
  const taking = takePart({ client, job: averaging, train: () => good });
  const { number, weight, parameters, metrics } = await round;
  assert.deepEqual([number, weight, metrics], [1, 2, { loss: 0.5 }]);
  assert.deepEqual(parameters, modelOf([0.5, 0.5]));
  await averaging.end();
  for (const { given } of [await taking, await other]) assert.equal(given, 1);
});

test('an owner refuses a job that is not for its model before it says that it is ready', async () => {
  await using stage = await setStage({ owners: 2 });
  const [client] = stage.clients;
  assert.ok(client !== undefined);
  const train = (parameters: NamedTensors): Trained => ({ parameters, weight: 1 });
  const averaging = await createAveragingJob(stage.controller, small);
  for (const [model, field] of [
    [new Map([['slope', tensorOf([1], [1, 1])]]), 'tensor "intercept"'],
    [new Map([...modelOf([0, 0]), ['slope', tensorOf([1])]]), 'tensor "slope"'],
  ] as const)
    await assert.rejects(participate({ client, job: averaging, train, model }), { code: 'plan_mismatch', field });
  const plain = await stage.controller.createJob({ length: 1, bits: 32, bound: 1, keyBits: 2048, id: 'sum-2' });
  await assert.rejects(participate({ client, job: plain, train }), { code: 'model_invalid', field: 'averaging' });
  await assert.rejects(participate({ client, job: 'none', train }), { code: 'job_unknown' });
  for (const job of [averaging, plain])
    assert.deepEqual(
      job.owners().map(({ status }) => status),
      ['invited', 'invited'],
    );
  const wary = stage.client(1, { policy: { require_privacy: true } });
  await assert.rejects(participate({ client: wary, job: averaging, train }), { code: 'policy_refused' });
});

test('a strategy that leaves the doubles is refused by name, and the model stays as it is', async () => {
  await using stage = await setStage({ owners: 2 });
  const strategy = ({ round, average }: { round: number; average: Float64Array }) => ({
    parameters: average.map((value, index) => (round === 1 && index === 1 ? value / 0 : value)),
    memory: [],
  });
  const averaging = await createAveragingJob(stage.controller, { ...small, rounds: 2, strategy });
  const taking = stage.clients.map((client) =>
    takePart({ client, job: averaging, train: () => ({ parameters: modelOf([1, 1]), weight: 1 }) }),
  );
  await assert.rejects(averaging.next(), { code: 'number_not_finite', field: 'tensor "intercept" value 0' });
  assert.deepEqual(averaging.parameters(), small.initial);
  assert.deepEqual((await averaging.next()).parameters, modelOf([1, 1]));
  await averaging.end();
  await Promise.all(taking);
});

test.run();
