/**
 * The strategies against Flower's own: flower-strategies.json is what its classes gave (flwr.server.strategy, at the commit that the
 * file names) for three owners' results in double precision, round by round; rounds that are missing there did not come about.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { array, double, property as holds, nat, assert as property, tuple } from 'fast-check';
import { suite } from 'uvu';
import {
  fedAdagrad,
  fedAdam,
  fedAvg,
  fedAvgM,
  fedYogi,
  type Strategy,
  type StrategyMemory,
} from '../../src/averaging/strategies.ts';

const test = suite('strategies');

interface FlowerCase {
  readonly strategy: string;
  readonly settings: Readonly<Record<string, number>>;
  readonly initial: readonly number[];
  readonly rounds: readonly {
    readonly round: number;
    readonly results: readonly { readonly weight: number; readonly values: readonly number[] }[];
    readonly parameters: readonly number[];
  }[];
}

const { cases } = JSON.parse(readFileSync(new URL('flower-strategies.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly FlowerCase[];
};
assert.equal(cases.length, 11);

const strategies: Readonly<Record<string, (settings: Readonly<Record<string, number>>) => Strategy>> = {
  FedAvg: fedAvg,
  FedAvgM: (settings) => fedAvgM(settings),
  FedAdam: (settings) => fedAdam(settings),
  FedYogi: (settings) => fedYogi(settings),
  FedAdagrad: (settings) => fedAdagrad(settings),
};

/** server_momentum is serverMomentum here, and beta_1 is beta1. */
const ours = (settings: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

for (const { strategy: name, settings, initial, rounds } of cases)
  test(`${name} ${JSON.stringify(settings)}: what Flower gives`, () => {
    const strategy = strategies[name]?.(ours(settings));
    assert.ok(strategy !== undefined);
    let parameters = Float64Array.from(initial);
    let memory: StrategyMemory = [];
    for (const { round, results, parameters: expected } of rounds) {
      const total = results.reduce((sum, { weight }) => sum + weight, 0);
      const average = parameters.map(
        (_, index) =>
          results.reduce((sum, { weight, values }) => sum + weight * (values[index] ?? Number.NaN), 0) / total,
      );
      const before = parameters.slice();
      const next = strategy({ round, parameters, average, memory });
      assert.deepEqual(parameters, before, 'the parameters that were given are not changed');
      ({ parameters, memory } = next as { parameters: Float64Array<ArrayBuffer>; memory: StrategyMemory });
      for (const [index, value] of expected.entries()) {
        const error = Math.abs((parameters[index] ?? Number.NaN) - value);
        assert.ok(error <= 1e-13 * Math.max(1, Math.abs(value)), `round ${round} value ${index}: off by ${error}`);
      }
    }
  });

const vectors = nat(8).chain((length) => {
  const values = array(double({ min: -8, max: 8, noNaN: true }), { minLength: length, maxLength: length });
  return tuple(values, values).map((pair) => pair.map((each) => Float64Array.from(each, (value) => value + 0)));
});

test('whoever agrees with the parameters does not move them', () => {
  for (const strategy of [fedAvg(), fedAvgM({ serverMomentum: 0.9 }), fedAdam(), fedYogi(), fedAdagrad()])
    property(
      holds(vectors, ([parameters = new Float64Array()]) => {
        const step = { round: 1, parameters, average: parameters, memory: [] };
        assert.deepEqual(strategy(step).parameters, parameters);
      }),
    );
});

test('FedAvgM without momentum goes as far as its rate says', () => {
  property(
    holds(vectors, ([parameters = new Float64Array(), average = new Float64Array()]) => {
      const whole = fedAvgM()({ round: 1, parameters, average, memory: [] });
      assert.deepEqual(whole, { parameters: average, memory: [] });
      const half = fedAvgM({ serverLearningRate: 0.5 })({ round: 1, parameters, average, memory: [] });
      assert.deepEqual(
        half.parameters,
        parameters.map((value, index) => value - 0.5 * (value - (average[index] ?? 0))),
      );
    }),
  );
});

for (const [field, make] of [
  ['serverLearningRate', () => fedAvgM({ serverLearningRate: 0 })],
  ['serverMomentum', () => fedAvgM({ serverMomentum: 1 })],
  ['serverMomentum', () => fedAvgM({ serverMomentum: -0.1 })],
  ['eta', () => fedAdam({ eta: Number.NaN })],
  ['beta1', () => fedAdam({ beta1: 1 })],
  ['beta2', () => fedYogi({ beta2: -1 })],
  ['tau', () => fedYogi({ tau: 0 })],
  ['tau', () => fedAdagrad({ tau: Number.POSITIVE_INFINITY })],
  ['eta', () => fedAdagrad({ eta: -1 })],
] as const)
  test(`${field} is refused by name where it makes no sense: ${String(make)}`, () => {
    assert.throws(make, { code: 'model_invalid', field });
  });

test.run();
