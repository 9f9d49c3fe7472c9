/**
 * Federated averaging of a logistic regression: three clinics train on their own patients for some epochs a round, and the model
 * owner reads the averages of what they made of the model, weighted by their patients. Nobody sees what one clinic made of it.
 *
 * The same training is done in plain numbers beside it, to show that nothing but a step of the fixed point is between them.
 *
 * Run it, with a project and its facilitator:
 *
 *     npm run build && npx sealsum init project
 *     scripts/run_facilitator.sh --config project/facilitator/config.toml &
 *     node dist/examples/federated-averaging.js project
 */
import { join } from 'node:path';
import {
  Client,
  Controller,
  createAveragingJob,
  fedAdam,
  memoryClientStore,
  type NamedTensors,
  participate,
  readParty,
  type Strategy,
  type StrategyMemory,
  tensorOf,
} from '../src/index.ts';

const [folder = 'project'] = process.argv.slice(2);
const partyOf = (name: string): ReturnType<typeof readParty> => readParty(join(folder, name, 'config.toml'));

interface Patient {
  readonly values: readonly number[];
  readonly ill: 0 | 1;
}

/** As many patients as a clinic has, the same in every run; where they live their values are different. */
function patientsOf(clinic: number, count: number): Patient[] {
  return Array.from({ length: count }, (_, index) => {
    const values = [1, 2, 3].map((column) => Math.sin((column + 2) * (index + 17 * clinic)) + clinic / 4);
    const [a = 0, b = 0, c = 0] = values;
    return { values, ill: 2 * a - b + 0.5 * c - 0.3 + 0.4 * Math.sin(31 * index) > 0 ? 1 : 0 };
  });
}

const clinics = new Map([
  ['owner-1', patientsOf(0, 120)],
  ['owner-2', patientsOf(1, 40)],
  ['owner-3', patientsOf(2, 75)],
]);
const zero: NamedTensors = new Map([
  ['weight', tensorOf([0, 0, 0], [1, 3])],
  ['bias', tensorOf([0])],
]);

const probabilityOf = (weight: ArrayLike<number>, bias: number, values: readonly number[]): number =>
  1 / (1 + Math.exp(-values.reduce((sum, value, column) => sum + value * (weight[column] ?? 0), bias)));

const numbersOf = (model: NamedTensors): [Float64Array, number] => [
  model.get('weight')?.values.slice() ?? new Float64Array(3),
  model.get('bias')?.values[0] ?? 0,
];

/** Epochs of gradient descent on the log-loss, one patient after the other. */
function trainOn(patients: readonly Patient[], model: NamedTensors, epochs: number, rate: number): NamedTensors {
  let [weight, bias] = numbersOf(model);
  for (let epoch = 0; epoch < epochs; epoch += 1)
    for (const { values, ill } of patients) {
      const error = probabilityOf(weight, bias, values) - ill;
      weight = weight.map((each, column) => each - rate * error * (values[column] ?? 0));
      bias -= rate * error;
    }
  return new Map([
    ['weight', tensorOf(weight, [1, 3])],
    ['bias', tensorOf([bias])],
  ]);
}

/** Mean log-loss. */
function lossOf(patients: readonly Patient[], model: NamedTensors): number {
  const [weight, bias] = numbersOf(model);
  const losses = patients.map(({ values, ill }) => {
    const probability = probabilityOf(weight, bias, values);
    return -Math.log(ill === 1 ? probability : 1 - probability);
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / patients.length;
}

const [rounds, localEpochs, rate] = [8, 5, 0.05];
const strategy: Strategy = fedAdam({ eta: 0.3, tau: 0.01 });

/** The same in plain numbers. */
function inPlainNumbers(): Float64Array {
  let parameters: Float64Array = new Float64Array(4);
  let memory: StrategyMemory = [];
  for (let round = 1; round <= rounds; round += 1) {
    const model: NamedTensors = new Map([
      ['weight', tensorOf(parameters.subarray(0, 3), [1, 3])],
      ['bias', tensorOf(parameters.subarray(3))],
    ]);
    const average = new Float64Array(4);
    let total = 0;
    for (const patients of clinics.values()) {
      const [weight, bias] = numbersOf(trainOn(patients, model, localEpochs, rate));
      for (const [index, value] of [...weight, bias].entries())
        average[index] = (average[index] ?? 0) + patients.length * value;
      total += patients.length;
    }
    for (const index of average.keys()) average[index] = (average[index] ?? 0) / total;
    ({ parameters, memory } = strategy({ round, parameters, average, memory }));
  }
  return parameters;
}

await using controller = await Controller.create(await partyOf('model-owner'));
const clients: Client[] = [];
try {
  for (const name of clinics.keys()) {
    const party = await partyOf(name);
    // On disk it would be openClientStore(party.storeLocation, party.identity).
    clients.push(new Client({ ...party, store: memoryClientStore(), policy: { least_quorum: 2 } }));
  }
  const averaging = await createAveragingJob(controller, {
    initial: zero,
    rounds,
    strategy,
    reconstructionThreshold: 2,
    configure: () => ({ localEpochs, rate }),
    metrics: ['loss'],
    timeout: 120,
    keyBits: 2048,
  });
  const taking = clients.map((client) => {
    const patients = clinics.get(client.owner) ?? [];
    return participate({
      client,
      job: averaging,
      train: (model, { settings }) => ({
        parameters: trainOn(patients, model, settings.localEpochs ?? 0, settings.rate ?? 0),
        weight: patients.length,
        metrics: { loss: lossOf(patients, model) },
      }),
      onRound: (round) => {
        if (round.outcome === 'given' && [...round.clipped.values()].some((fraction) => fraction > 0))
          console.log(`${client.owner}: clipped in round ${round.round}`);
      },
    });
  });
  for (let number = 1; number <= rounds; number += 1) {
    const { contributors, weight, metrics } = await averaging.next();
    console.log(
      `round ${number}: ${contributors.length} owners, ${weight} patients, loss before ${metrics.loss?.toFixed(3)}`,
    );
  }
  const [weight, bias] = numbersOf(averaging.parameters());
  console.log(`model: ${[...weight, bias].map((value) => value.toFixed(3)).join(' ')}`);
  const plain = inPlainNumbers();
  const off = Math.max(...[...weight, bias].map((value, index) => Math.abs(value - (plain[index] ?? 0))));
  console.log(`off what it is in plain numbers by ${off.toExponential(1)}`);
  await averaging.end();
  await Promise.all(taking);
} finally {
  for (const client of clients) await client.close();
}
