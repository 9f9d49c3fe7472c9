/** What is still to be done: in order, again when it failed, and no longer when it is not wanted any more. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type Agenda, type AgendaOptions, createAgenda } from '../../../parties/data-owner/agenda.ts';
import { type ErrorCode, SealsumError } from '../../../src/errors.ts';
import { createLog } from '../../../src/http/log.ts';
import type { JobId } from '../../../src/protocol/identifiers.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';

const test = suite("a data owner's agenda");

const [first, second] = ['first', 'second'] as unknown as [JobId, JobId];

interface Rig {
  readonly agenda: Agenda;
  readonly clock: TestClock;
  readonly stop: AbortController;
  /** Steps in the order in which they were begun. */
  readonly steps: string[];
}

/** @param fail what a step throws, if it fails */
function rig(fail: (step: string, time: number) => Error | undefined = () => undefined): Rig {
  const clock = createTestClock();
  const stop = new AbortController();
  const steps: string[] = [];
  const begun = new Map<string, number>();
  const step = async (name: string): Promise<void> => {
    steps.push(name);
    const time = (begun.get(name) ?? 0) + 1;
    begun.set(name, time);
    await Promise.resolve();
    const error = fail(name, time);
    if (error !== undefined) throw error;
  };
  const options: AgendaOptions = {
    join: (job) => step(`join ${job}`),
    settle: (job) => step(`settle ${job}`),
    attend: (job, round) => step(`round ${round} of ${job}`),
    end: (job) => step(`end ${job}`),
    clock,
    random: (count) => new Uint8Array(count).fill(255),
    log: createLog('anna', 'silent'),
    signal: stop.signal,
  };
  return { agenda: createAgenda(options), clock, stop, steps };
}

const passing = (code: ErrorCode = 'facilitator_unreachable'): SealsumError => new SealsumError(code, 'not now');

test('joins before it settles, settles before it looks at a round, and looks at the newest round only', async () => {
  const { agenda, steps } = rig();
  agenda.note(first, { round: 2 });
  agenda.note(first, { settle: true });
  agenda.note(first, { round: 3 });
  agenda.note(first, { round: 1 });
  agenda.note(first, { join: true });
  agenda.note(second, { round: 9 });
  assert.equal(agenda.length(), 2);
  await agenda.idle();
  assert.deepEqual(
    steps.filter((step) => step.endsWith(first)),
    ['join first', 'settle first', 'round 3 of first'],
  );
  assert.ok(steps.includes('round 9 of second'));
  assert.equal(agenda.length(), 0);
});

test('a job that is over is ended, and nothing else is done for it', async () => {
  const { agenda, steps } = rig();
  agenda.note(first, { join: true, round: 2 });
  agenda.note(first, { over: true });
  await agenda.idle();
  assert.deepEqual(steps, ['end first']);
});

test('what fails for a reason that passes is tried again, each time after a longer wait, until it is done', async () => {
  const { agenda, clock, steps } = rig((_step, time) => (time <= 7 ? passing() : undefined));
  agenda.note(first, { join: true, round: 1 });
  const waits: number[] = [];
  for (let time = 1; time <= 7; time++) {
    await until('it waits', () => clock.pending() === 1 && steps.length === time);
    waits.push(clock.next() ?? 0);
    clock.advance(waits.at(-1) ?? 0);
  }
  await until('the round is looked at', () => steps.length === 9);
  assert.deepEqual(steps, [...Array.from({ length: 8 }, () => 'join first'), 'round 1 of first']);
  const nearly = (511 / 512) * 1000;
  assert.deepEqual(
    waits,
    [1, 2, 4, 8, 16, 30, 30].map((seconds) => seconds * nearly),
  );
  // The next step has a patience of its own.
  await until('it waits', () => clock.pending() === 1);
  assert.equal(clock.next(), nearly);
});

test('a line that stands, and whatever is noted, ends the wait', async () => {
  const { agenda, clock, steps } = rig((step, time) => (step === 'join first' && time < 4 ? passing() : undefined));
  agenda.note(first, { join: true });
  await until('it waits', () => clock.pending() === 1);
  agenda.hurry();
  await until('it waits again', () => steps.length === 2 && clock.pending() === 1);
  agenda.note(first, { round: 4 });
  await until('it waits again', () => steps.length === 3 && clock.pending() === 1);
  agenda.hurry();
  await agenda.idle();
  assert.deepEqual(steps.slice(2), ['join first', 'join first', 'round 4 of first']);
  assert.equal(clock.pending(), 0);
});

test('a round that cannot be reached is given up for a newer one', async () => {
  const { agenda, clock, steps } = rig((step) => (step === 'round 1 of first' ? passing('overloaded') : undefined));
  agenda.note(first, { round: 1 });
  await until('it waits', () => clock.pending() === 1);
  agenda.note(first, { round: 2 });
  await agenda.idle();
  assert.deepEqual(steps, ['round 1 of first', 'round 2 of first']);
});

test('a job that is said to be over is ended; one of which the end cannot be reached is ended later', async () => {
  const { agenda, clock, steps } = rig((step, time) => {
    if (step === 'round 1 of first') return new SealsumError('job_ended', 'the job has ended');
    return step === 'end first' && time === 1 ? passing('store_unavailable') : undefined;
  });
  agenda.note(first, { round: 1 });
  await until('it waits', () => clock.pending() === 1);
  clock.advance(1000);
  await agenda.idle();
  assert.deepEqual(steps, ['round 1 of first', 'end first', 'end first']);
});

test('what fails for good is not tried again, and does not keep the rest from being done', async () => {
  for (const error of [new TypeError('a mistake'), new SealsumError('message_invalid', 'no')]) {
    const { agenda, steps } = rig((step) => (step === 'join first' ? error : undefined));
    agenda.note(first, { join: true, round: 1 });
    await agenda.idle();
    assert.deepEqual(steps, ['join first', 'round 1 of first']);
  }
});

test('nothing is begun once the process is to stop, and what waits is given up', async () => {
  const { agenda, clock, stop, steps } = rig(() => passing());
  agenda.note(first, { join: true });
  await until('it waits', () => clock.pending() === 1);
  stop.abort();
  await agenda.idle();
  agenda.note(second, { join: true });
  await agenda.idle();
  assert.deepEqual(steps, ['join first']);
  assert.equal(clock.pending(), 0);
});

test('whatever is noted and however it fails, everything newest is done once nothing fails any more', async () => {
  const todo = fc.record({
    job: fc.constantFrom(first, second),
    todo: fc.oneof(
      fc.constant({ join: true }),
      fc.constant({ settle: true }),
      fc.nat(5).map((round) => ({ round: round + 1 })),
    ),
    pause: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(todo, { maxLength: 12 }),
      fc.array(fc.boolean(), { maxLength: 12 }),
      async (notes, fails) => {
        let begun = 0;
        const { agenda, clock, steps } = rig(() => (fails[begun++] === true ? passing() : undefined));
        for (const { job, todo: what, pause } of notes) {
          agenda.note(job, what);
          if (pause) await Promise.resolve();
        }
        while (agenda.length() > 0) {
          clock.advance(60_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
        for (const job of [first, second]) {
          const wanted = notes.filter((note) => note.job === job).map((note) => note.todo);
          const newest = Math.max(0, ...wanted.map((what) => ('round' in what ? what.round : 0)));
          const done = steps.filter((step) => step.endsWith(job));
          const lastRound = done.filter((step) => step.startsWith('round')).map((step) => Number(step.split(' ')[1]));
          assert.equal(Math.max(0, ...lastRound), newest);
          assert.equal(
            done.includes(`join ${job}`),
            wanted.some((what) => 'join' in what),
          );
          assert.equal(
            done.includes(`settle ${job}`),
            wanted.some((what) => 'settle' in what),
          );
        }
        assert.equal(agenda.length(), 0);
      },
    ),
    { numRuns: process.env.SLOW === undefined ? 100 : 2000 },
  );
});

test.run();
