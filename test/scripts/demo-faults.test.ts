/** The demo when something is wrong, or when it is asked to stop: it says why, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { linearSample } from '../end-to-end/data.ts';
import { argumentsFor, assertNothingIsLeft, type DemoContext, enter, leave, runDemo, startDemo } from './demo-runs.ts';
import type { RunningScript } from './processes.ts';

const test = suite<DemoContext>('demo that fails or is stopped');

test.before(enter);
test.after(leave);

const gradient = { solver: 'gradient', rounds: 3 };

test('data or a model that make no sense are named with their field, and nothing is left', async (context) => {
  const sample = linearSample(30);
  const [age, ...others] = sample.document.data_props.features;
  const narrow = { ...sample.document.data_props, features: [{ ...age, range: [0, 1] }, ...others] };
  const good = await argumentsFor(context, sample, {});
  const none = `${context.folder.path}/nothing`;
  const cases: readonly (readonly [args: () => Promise<readonly string[]>, says: RegExp])[] = [
    [() => argumentsFor(context, sample, { data_props: narrow }), /^line 2, age: expected a number within \[0, 1\]/],
    [() => argumentsFor(context, sample, { training: { solver: 'guess' } }), /^training\.solver: expected one of/],
    [
      () => argumentsFor(context, linearSample(2), { training: gradient }),
      /^\S+ has 2 rows: too few to give each of 3 owners one/,
    ],
    [
      () => Promise.resolve(['--data', none, '--model', `${context.folder.path}/model.json`]),
      /^the data file cannot be read/,
    ],
    [() => Promise.resolve([...good.slice(0, 2), '--model', none]), /^the model file \S+ cannot be read/],
    [() => Promise.resolve(good.slice(0, 2)), /^--data and --model go together/],
  ];
  for (const [args, says] of cases) {
    const ran = await runDemo(context, [...(await args()), '--json']);
    assert.deepEqual([ran.code, ran.output], [1, ''], ran.complaint);
    assert.match(detailOf(ran), says);
  }
  for (const [option, says] of [
    [['--owners', '1'], /^demo: .*expected a whole number from 2 to 50/],
    [['--jason'], /^demo: unknown option '--jason' \(Did you mean --json\?\)/],
  ] as const) {
    const ran = await runDemo(context, [...good, ...option, '--json']);
    assert.deepEqual([ran.code, ran.output], [1, '']);
    assert.match(ran.complaint, says);
  }
  const text = await context.folder.write('text.json', '{"model_type": ');
  assert.match(
    (await runDemo(context, [...good.slice(0, 2), '--model', text])).complaint,
    /^demo: \S+text\.json is not JSON: /,
  );
});

/** What a problem on standard error says: one line, with the code of the process. */
function detailOf({ code, complaint }: { readonly code: number | null; readonly complaint: string }): string {
  assert.match(complaint, /^[^\n]+\n$/);
  const { detail, exit_code: said } = JSON.parse(complaint) as { readonly detail: string; readonly exit_code: number };
  assert.equal(said, code);
  return detail;
}

test('a training that fails says why, with a code that is not zero, and nothing is left', async (context) => {
  const participation = { quorum: 3, deadline_seconds: 1 };
  const few = await argumentsFor(context, linearSample(30), { participation });
  const refused = await runDemo(context, [...few, '--owners', '2', '--json']);
  assert.deepEqual([refused.code, refused.output], [1, '']);
  assert.match(detailOf(refused), /^too few data owners are in the roster file: 2, and the quorum is 3; invite more/);

  const roster = ['owner-1', 'owner-9'];
  const strange = await argumentsFor(context, linearSample(30), { participation: { deadline_seconds: 1, roster } });
  const unknown = await runDemo(context, [...strange, '--json']);
  assert.deepEqual([unknown.code, unknown.output], [1, '']);
  assert.match(detailOf(unknown), /owner-9/);

  // In each of 40 rounds the noised number of records is positive by no more than an even chance: all are once in 10^12 runs.
  const noisy = await argumentsFor(context, linearSample(30), {
    training: { ...gradient, rounds: 40 },
    privacy: { epsilon: 1e-4, delta: 1e-9 },
  });
  const failed = await runDemo(context, [...noisy, '--owners', '2', '--json']);
  assert.deepEqual([failed.code, failed.output], [1, '']);
  assert.match(detailOf(failed), /^the training failed: weight: the noise outweighs the records/);
});

const slow = process.env.SLOW !== undefined;
const [inTraining, before] = [/^model owner at/m, /^facilitator at/m];

// Whichever signal it is, one controller is aborted with it (scripts/demo/run.ts): each of them once, and with SLOW=1 at both moments.
for (const [name, end, moments] of [
  [
    'Ctrl-C',
    (script: RunningScript) => {
      script.pressControlC();
    },
    slow ? [inTraining, before] : [inTraining],
  ],
  [
    'SIGTERM',
    (script: RunningScript) => {
      script.kill();
    },
    slow ? [inTraining, before] : [before],
  ],
] as const) {
  const when = moments
    .map((moment) => (moment === before ? 'before a training' : 'in the middle of one'))
    .join(' and ');
  test(`${name} ends everything ${when}`, async (context) => {
    const training = { ...gradient, rounds: 100_000 };
    const args = await argumentsFor(context, linearSample(30), { training });
    for (const moment of moments) {
      await using script = startDemo(context, [...args, '--owners', '2']);
      await script.complained(moment);
      end(script);
      const { code, output, complaint } = await script.ended;
      assert.deepEqual([code, output], [0, '']);
      assert.match(complaint, /^demo: stopped$/m);
      await assertNothingIsLeft(context, script);
    }
  });
}

test.run();
