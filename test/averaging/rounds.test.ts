/** Federated averaging over real sockets: a line that three owners train is what it is in plain numbers, whatever befalls a round. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createAveragingJob } from '../../src/averaging/averaging-job.ts';
import { type GivenRound, type MissedRound, participate } from '../../src/averaging/participate.ts';
import { setStage } from '../vector-sum/stage.ts';
import { averageLines, examplesOf, type Line, lineOf, small, trained, trainLine } from './stage.ts';

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
    participate({
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

test.run();
