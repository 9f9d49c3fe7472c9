/** Federated averaging over real sockets: a line that three owners train is what it is in plain numbers. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type AveragingJob, createAveragingJob } from '../../src/averaging/averaging-job.ts';
import type { GivenRound, MissedRound } from '../../src/averaging/participate.ts';
import { fedAvgM, type Strategy, type StrategyMemory } from '../../src/averaging/strategies.ts';
import { tensorOf } from '../../src/averaging/tensors.ts';
import { patience } from '../end-to-end/parties.ts';
import { createTestClock } from '../support/clock.ts';
import { until, within } from '../support/until.ts';
import { type Stage, setStage } from '../vector-sum/stage.ts';
import {
  averageLines,
  type Examples,
  examplesOf,
  gate,
  type Line,
  lineOf,
  modelOf,
  small,
  takePart,
  trained,
  trainLine,
} from './stage.ts';

const test = suite('federated averaging');

/** The half of a step of the fixed point, and what doubles lose beside it. */
const bound = 8 / 2 ** 22 + 1e-12;

function assertNear(actual: Line, expected: Line, within: number): void {
  for (const index of [0, 1] as const)
    assert.ok(Math.abs(actual[index] - expected[index]) <= within, `${String(actual)} is not ${String(expected)}`);
}

test('rounds of local epochs give what averaging in plain numbers gives, to half a step of the fixed point', async () => {
  await using stage = await setStage();
  const configure = (round: number): Record<string, number> => ({ localEpochs: 4, learningRate: 0.4 / round });
  const averaging = await createAveragingJob(stage.controller, { ...small, rounds: 3, configure });
  const told: (GivenRound | MissedRound)[] = [];
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: (model, { settings }) =>
        trained(model, examplesOf[index] ?? [], settings.localEpochs ?? 0, settings.learningRate ?? 0),
      ...(index === 0 ? { onRound: (round) => told.push(round) } : {}),
    }),
  );
  let line: Line = [0, 0];
  for (const number of [1, 2, 3]) {
    const expected = averageLines(
      examplesOf.map((examples) => ({ line: trainLine(line, examples, 4, 0.4 / number), weight: examples.length })),
    );
    const round = await averaging.next();
    assert.deepEqual([round.number, round.weight, round.contributors.length], [number, 9, 3]);
    line = lineOf(round.parameters);
    assertNear(line, expected, bound);
    assert.deepEqual(round.parameters, round.average);
    assert.equal(round.manifest.manifest.contributions.length, 3);
    assert.deepEqual(averaging.parameters(), round.parameters);
  }
  await averaging.end();
  for (const [index, { given, missed, model }] of (await Promise.all(taking)).entries()) {
    assert.deepEqual([given, missed], [3, 0]);
    assert.deepEqual([...model.keys()], ['slope', 'intercept'], `owner ${index}`);
  }
  assert.deepEqual(
    told.map(({ round, outcome }) => [round, outcome]),
    [1, 2, 3].map((round) => [round, 'given']),
  );
});

/** Owners of whom one is late in the first round: its training goes on once it is let go. */
function withOneLate(stage: Stage, averaging: AveragingJob, lateOwner: number) {
  const [late, inTime] = [gate(), gate()];
  const missed: MissedRound[] = [];
  let given = 0;
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: async (model, { round }) => {
        if (index === lateOwner && round === 1) await late.opened;
        return trained(model, examplesOf[index] ?? [], 1, 0.5);
      },
      onRound: (round) => {
        if (round.outcome === 'missed') missed.push(round);
        else given += 1;
        if (given === 2) inTime.open();
      },
    }),
  );
  return {
    /** Resolves once the others have given their part of the first round. */
    othersGave: inTime.opened,
    /** Resolves once the late one may be asked again. */
    letGo: async () => {
      late.open();
      await until('all are ready', () => averaging.owners().every(({ status }) => status === 'ready'), patience);
    },
    /** Which rounds it missed and why, and how many each gave to, once the job is over. */
    ended: async () => {
      const summaries = await Promise.all(taking);
      return {
        missed: missed.map(({ round, reason }) => [round, reason.code]),
        given: summaries.map((each) => each.given),
      };
    },
  };
}

/** One round from zero in plain numbers. */
const oneRound = (owners: readonly Examples[]): Line =>
  averageLines(owners.map((examples) => ({ line: trainLine([0, 0], examples, 1, 0.5), weight: examples.length })));

test('who is late misses a round, which closes with a quorum, and takes part in the next one', async () => {
  const clock = createTestClock();
  await using stage = await setStage({ clock });
  const averaging = await createAveragingJob(stage.controller, { ...small, timeout: 600, rounds: 2 });
  const owners = withOneLate(stage, averaging, 2);
  const first = averaging.next();
  await owners.othersGave;
  clock.advance(600_000);
  const { contributors, asked, weight, parameters } = await first;
  assert.deepEqual([contributors.length, asked.length, weight], [2, 3, 6]);
  assertNear(lineOf(parameters), oneRound(examplesOf.slice(0, 2)), bound);
  await owners.letGo();
  assert.equal((await averaging.next()).contributors.length, 3);
  await averaging.end();
  assert.deepEqual(await owners.ended(), { missed: [[1, 'round_closed']], given: [2, 2, 1] });
});

test('without its quorum a round is abandoned, the model stays as it is, and the training goes on', async () => {
  const clock = createTestClock();
  await using stage = await setStage({ clock });
  const strategy = fedAvgM({ serverMomentum: 0.5 });
  const options = { ...small, timeout: 600, rounds: 2, reconstructionThreshold: 1, strategy };
  const averaging = await createAveragingJob(stage.controller, options);
  assert.equal(averaging.sum.participation.quorum, 3);
  const owners = withOneLate(stage, averaging, 0);
  const first = averaging.next();
  await owners.othersGave;
  clock.advance(600_000);
  await assert.rejects(first, { code: 'round_abandoned', message: /missing owner-1/ });
  assert.deepEqual(averaging.parameters(), small.initial);
  assert.deepEqual(averaging.memory(), []);
  await owners.letGo();
  const second = await averaging.next();
  assert.deepEqual([second.number, second.contributors.length], [2, 3]);
  assertNear(lineOf(second.parameters), oneRound(examplesOf), bound);
  await averaging.end();
  assert.deepEqual(await owners.ended(), { missed: [[1, 'round_abandoned']], given: [1, 2, 2] });
});

test('what is beyond the range is cut off, and its owner alone is told which fraction it was', async () => {
  await using stage = await setStage();
  const initial = new Map([
    ['layer', tensorOf([0, 0, 0, 0], [2, 2])],
    ['bias', tensorOf([0.5])],
  ]);
  const options = { ...small, initial, clippingRange: 1, metrics: ['loss'], maxWeight: 10 };
  const averaging = await createAveragingJob(stage.controller, options);
  const layers = [
    [0.25, 0.5, -0.75, 1],
    [5, -0.5, 0, -1.5],
    [-1, 1, 0.125, 3],
  ];
  const told = stage.clients.map((client, index) => {
    const rounds: (GivenRound | MissedRound)[] = [];
    const done = takePart({
      client,
      job: averaging,
      train: (model) => ({
        parameters: new Map([...model, ['layer', tensorOf(layers[index] ?? [], [2, 2])]]),
        weight: index + 1,
        metrics: { loss: index },
      }),
      onRound: (round) => rounds.push(round),
    });
    return { rounds, done };
  });
  const round = await averaging.next();
  const clipped = layers.map((layer) => layer.map((value) => Math.min(1, Math.max(-1, value))));
  const mean = [0, 1, 2, 3].map(
    (at) => clipped.reduce((sum, layer, index) => sum + (index + 1) * (layer[at] ?? 0), 0) / 6,
  );
  // All of these are multiples of a step, so that nothing is rounded but the division.
  assert.deepEqual([...(round.average.get('layer')?.values ?? [])], mean);
  assert.deepEqual(round.average.get('bias'), tensorOf([0.5]));
  assert.deepEqual(round.metrics, { loss: (0 + 2 * 1 + 3 * 1) / 6 });
  await averaging.end();
  for (const { done } of told) await done;
  assert.deepEqual(
    told.map(({ rounds: [first] }) =>
      first?.outcome === 'given' ? [[...first.clipped], first.clippedMetrics, first.weight] : first,
    ),
    [
      [
        [
          ['layer', 0],
          ['bias', 0],
        ],
        [],
        1,
      ],
      [
        [
          ['layer', 0.5],
          ['bias', 0],
        ],
        [],
        2,
      ],
      [
        [
          ['layer', 0.25],
          ['bias', 0],
        ],
        ['loss'],
        3,
      ],
    ],
  );
  assert.ok(!JSON.stringify(round).includes('lipped'));
});

test('a round asks a fraction of the owners, others train nothing, and the quorum is of those it asks', async () => {
  await using stage = await setStage({ owners: 4 });
  const options = { ...small, rounds: 4, fractionFit: 0.5, minAvailableClients: 4, reconstructionThreshold: 0.9 };
  // Draws of 0 bytes choose the first owners who are ready, and of ones the last.
  let byte = 0;
  const random = (length: number): Uint8Array => new Uint8Array(length).fill(byte);
  const averaging = await createAveragingJob(stage.controller, options, { random });
  assert.equal(averaging.sum.participation.quorum, 2);
  const rounds: number[][] = stage.clients.map(() => []);
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: (model, { round }) => {
        rounds[index]?.push(round);
        return trained(model, examplesOf[index % 3] ?? [], 1, 0.1);
      },
    }),
  );
  const asked: string[][] = [];
  for (let number = 1; number <= 4; number += 1) {
    byte = number % 2 === 0 ? 0b10101010 : 0;
    const round = await averaging.next();
    assert.equal(round.asked.length, 2);
    assert.deepEqual([...round.contributors].sort(), [...round.asked].sort());
    asked.push([...round.asked].sort());
  }
  await averaging.end();
  await Promise.all(taking);
  assert.deepEqual(
    rounds,
    [1, 2, 3, 4].map((owner) => [1, 2, 3, 4].filter((number) => asked[number - 1]?.includes(`owner-${owner}`))),
  );
  assert.notDeepEqual(asked[0], asked[1], 'the draws differ, and so does who is asked');
});

test('a round begins once as many owners are ready as are asked for, whoever else has not answered', async () => {
  await using stage = await setStage();
  const [first, second] = stage.clients;
  assert.ok(first !== undefined && second !== undefined);
  const averaging = await createAveragingJob(stage.controller, { ...small, timeout: 86_400, minAvailableClients: 2 });
  const taking = [first, second].map((client, index) =>
    takePart({ client, job: averaging, train: (model) => trained(model, examplesOf[index] ?? [], 1, 0.1) }),
  );
  const { asked, weight } = await within('a round of two', averaging.next(), patience);
  assert.deepEqual([[...asked].sort(), weight], [['owner-1', 'owner-2'], 6]);
  await averaging.end();
  await Promise.all(taking);
});

test('an owner without examples weighs nothing, and if nobody has any that is an error', async () => {
  await using stage = await setStage();
  const averaging = await createAveragingJob(stage.controller, { ...small, rounds: 2 });
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: (_, { round }) => ({ parameters: modelOf([index + 1, -1]), weight: round === 1 ? 0 : index }),
    }),
  );
  await assert.rejects(averaging.next(), { code: 'weight_zero', field: 'weight' });
  assert.deepEqual(averaging.parameters(), small.initial);
  const { weight, parameters, contributors } = await averaging.next();
  assert.deepEqual([weight, contributors.length], [3, 3]);
  assertNear(lineOf(parameters), [(2 * 1 + 3 * 2) / 3, -1], 1e-12);
  await averaging.end();
  await Promise.all(taking);
});

test('updates and a strategy with momentum give what they give in plain numbers', async () => {
  await using stage = await setStage();
  const strategy = (): Strategy => fedAvgM({ serverLearningRate: 0.8, serverMomentum: 0.9 });
  const averaging = await createAveragingJob(stage.controller, {
    ...small,
    initial: modelOf([100, -100]),
    sends: 'updates',
    clippingRange: 256,
    quantizationRange: 2 ** 42,
    strategy: strategy(),
    rounds: 3,
  });
  assert.deepEqual([averaging.sum.bits, averaging.sum.levels], [64, 2 ** 42]);
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: (model) => trained(model, examplesOf[index] ?? [], 2, 0.3),
    }),
  );
  let parameters = Float64Array.of(100, -100);
  let memory: StrategyMemory = [];
  for (const round of [1, 2, 3]) {
    const line: Line = [parameters[0] ?? 0, parameters[1] ?? 0];
    const average = Float64Array.from(
      averageLines(examplesOf.map((each) => ({ line: trainLine(line, each, 2, 0.3), weight: each.length }))),
    );
    const step = strategy()({ round, parameters, average, memory });
    parameters = Float64Array.from(step.parameters);
    ({ memory } = step);
    const actual = lineOf((await averaging.next()).parameters);
    // Half a step in each round, which momentum and training may make a few times as much.
    assertNear(actual, [parameters[0] ?? 0, parameters[1] ?? 0], (10 * 256) / 2 ** 42);
  }
  await averaging.end();
  await Promise.all(taking);
});

/** σ = √(2/2ρ) · norm of two rounds with ρ = 5000 together: 0.01; over three owners a third. Nine of these: once in 10^18 draws. */
test('with privacy updates are shortened to a norm, all weigh alike, and noise is added', async () => {
  await using stage = await setStage();
  const privacy = { rho: 5000, place: 'facilitator' } as const;
  const averaging = await createAveragingJob(stage.controller, {
    ...small,
    sends: 'updates',
    norm: 1,
    privacy,
    rounds: 2,
  });
  const told: GivenRound[] = [];
  const taking = stage.clients.map((client) =>
    takePart({
      client,
      job: averaging,
      train: (model) => ({ parameters: modelOf([lineOf(model)[0] + 3, lineOf(model)[1] + 4]) }),
      onRound: (round) => round.outcome === 'given' && told.push(round),
    }),
  );
  for (const number of [1, 2]) {
    const { parameters, weight, privacy: statement } = await averaging.next();
    assert.equal(weight, 3);
    assertNear(lineOf(parameters), [0.6 * number, 0.8 * number], 9 * 0.01 * number);
    assert.notDeepEqual(lineOf(parameters), [0.6 * number, 0.8 * number]);
    assert.ok('spent' in statement && statement.spent.rounds === number);
  }
  await averaging.end();
  await Promise.all(taking);
  assert.equal(told.length, 6);
  for (const { norm, shortened, clipped } of told) {
    assert.deepEqual([shortened, clipped.size], [true, 0]);
    assert.ok(Math.abs(norm - 5) < 1e-9);
  }
});

test('only the tensors that are selected travel: the others stay with their owners', async () => {
  await using stage = await setStage();
  const body = tensorOf([1, 2], [2, 1]);
  const initial = new Map([
    ['body.weight', body],
    ['head.weight', tensorOf([7])],
  ]);
  const averaging = await createAveragingJob(stage.controller, { ...small, initial, select: /^body/, rounds: 2 });
  assert.deepEqual(averaging.sum.averaging?.tensors, [{ name: 'body.weight', shape: [2, 1] }]);
  assert.deepEqual([averaging.sum.length, averaging.sum.parameters], [2, 2]);
  const seen: number[][] = [[], [], []];
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      model: new Map([
        ['head.weight', tensorOf([10 * index, 0], [2])],
        ['body.weight', tensorOf([0, 0], [2, 1])],
      ]),
      train: (model) => {
        const head = model.get('head.weight')?.values ?? [];
        seen[index]?.push(head[0] ?? Number.NaN, head[1] ?? Number.NaN);
        const moved = model.get('body.weight')?.values.map((value) => value + index) ?? [];
        return {
          parameters: new Map([
            ['body.weight', tensorOf(moved, [2, 1])],
            ['head.weight', tensorOf([head[0] ?? 0, (head[1] ?? 0) + 1])],
          ]),
          weight: 1,
        };
      },
    }),
  );
  await averaging.next();
  const { parameters } = await averaging.next();
  assert.deepEqual(
    [...parameters],
    [
      ['body.weight', tensorOf([3, 4], [2, 1])],
      ['head.weight', tensorOf([7])],
    ],
  );
  await averaging.end();
  const summaries = await Promise.all(taking);
  assert.deepEqual(
    seen,
    [0, 1, 2].map((index) => [10 * index, 0, 10 * index, 1]),
  );
  assert.deepEqual(
    summaries.map(({ model }) => [...(model.get('head.weight')?.values ?? [])]),
    [0, 1, 2].map((index) => [10 * index, 2]),
  );
});

test('a call that was stopped goes on with the same round', async () => {
  await using stage = await setStage();
  const averaging = await createAveragingJob(stage.controller, { ...small });
  const going = gate();
  let asked = 0;
  const taking = stage.clients.map((client, index) =>
    takePart({
      client,
      job: averaging,
      train: async (model) => {
        asked += 1;
        if (asked === 3) stop.abort();
        await going.opened;
        return trained(model, examplesOf[index] ?? [], 1, 0.5);
      },
    }),
  );
  const stop = new AbortController();
  const stopped = averaging.next({ signal: stop.signal });
  await assert.rejects(averaging.next(), { code: 'round_open' });
  await assert.rejects(stopped, { code: 'aborted' });
  going.open();
  const { number, weight } = await averaging.next();
  assert.deepEqual([number, weight, asked], [1, 9, 3]);
  await assert.rejects(averaging.next(), { code: 'privacy_invalid', field: 'rounds' });
  await averaging.end();
  await Promise.all(taking);
});

test.run();
