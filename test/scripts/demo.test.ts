/**
 * The demo as a newcomer runs it: what it prints. How it runs the examples, with what it prints of classes, is in
 * test/examples/run.test.ts.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { linearSample, logisticSample } from '../end-to-end/data.ts';
import { argumentsFor, type DemoContext, enter, leave, runDemo } from './demo-runs.ts';
import { runScript } from './processes.ts';

const test = suite<DemoContext>('demo');

test.before(enter);
test.after(leave);

interface Parameters {
  readonly columns: readonly string[];
  readonly coefficients: readonly (number | readonly number[])[];
}

interface Printed {
  readonly status: string;
  readonly rounds: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly parameters: Parameters;
  readonly pooled_parameters: Parameters;
  readonly bytes_per_owner_round: number;
  readonly seconds_per_round: number;
  readonly predictions: readonly unknown[];
  readonly privacy: { readonly guarantee: string };
}

const columns = ['intercept', 'age', 'visits', 'ward=south', 'ward=west'];
const gradient = { solver: 'gradient', rounds: 3 };

test('--json prints one JSON object and nothing else: linear, with five owners', async (context) => {
  const sample = linearSample(31);
  const args = await argumentsFor(context, sample, { training: gradient });
  const { code, output, complaint } = await runDemo(context, [...args, '--owners', '5', '--json']);
  assert.deepEqual([code, complaint], [0, '']);
  const printed = JSON.parse(output) as Printed;
  assert.deepEqual(Object.keys(printed), [
    'status',
    'rounds',
    'metrics',
    'parameters',
    'pooled_parameters',
    'bytes_per_owner_round',
    'seconds_per_round',
    'seconds_in_all',
    'predictions',
    'privacy',
  ]);
  assert.equal(printed.status, 'finished');
  assert.equal(printed.rounds, 3);
  assert.ok((printed.metrics.mse ?? 0) > 0);
  assert.deepEqual(printed.parameters.columns, columns);
  assert.deepEqual(printed.pooled_parameters.columns, columns);
  for (const [index, value] of printed.parameters.coefficients.flat().entries()) {
    const pooled = printed.pooled_parameters.coefficients.flat()[index] ?? 0;
    assert.ok(Math.abs(value - pooled) <= 1e-6 * Math.abs(pooled));
  }
  // One ciphertext of twice 2048 bits.
  assert.equal(printed.bytes_per_owner_round, 512);
  assert.ok(printed.seconds_per_round > 0);
  assert.equal(printed.predictions.length, 31);
  assert.ok(printed.predictions.every((each) => typeof each === 'number'));
  assert.equal(printed.privacy.guarantee, 'no differential privacy');
});

test('the report for people: aligned, complete, and honest about privacy', async (context) => {
  const args = await argumentsFor(context, linearSample(30), { training: { solver: 'normal-equations' } });
  const { code, output, complaint } = await runDemo(context, args);
  assert.equal(code, 0);
  assert.match(
    complaint,
    /^facilitator at http:\S+\n(owner-[123] at http:\S+, 10 rows\n){3}model owner at http:\S+\n$/,
  );
  const lines = output.trim().split('\n');
  assert.match(lines[0] ?? '', /^3 data owners, 1 update in 1 round, \d+\.\d s in all$/);
  assert.match(output, /^final cost {10}\d+\.\d+ \(loss \d\.\d+, mse \d+\.\d+, r2 0\.\d+\)$/m);
  assert.match(output, /^bytes sent {10}1024 per owner and round$/m);
  assert.match(output, /^time per round {6}\d+\.\d ms \(median\)$/m);
  assert.match(output, /^privacy {13}no differential privacy$/m);
  assert.match(output, /^predictions {9}-?\d+(\.\d+)?, .*, … \(30 in all\)$/m);
  const table = lines.slice(lines.findIndex((line) => line.startsWith('coefficient')));
  const rows = table.slice(0, table.indexOf(''));
  assert.deepEqual(
    rows.slice(1).map((line) => line.split(' ', 1)[0]),
    columns,
  );
  assert.equal(new Set(rows.map((line) => line.length)).size, 1, 'the columns of the table are aligned');
});

test('with privacy the report says what was spent, whom it protects and whom not; in a terminal a bar reaches its end', async (context) => {
  const privacy = { epsilon: 4, delta: 1e-6 };
  const args = await argumentsFor(context, logisticSample(60), { training: gradient, privacy });
  const { code, output } = await runDemo(context, [...args, '--owners', '2'], { terminal: true });
  assert.equal(code, 0);
  assert.match(output, /training [█░]+ 0\/3 updates, 0s/);
  assert.match(output, /training █+ 3\/3 updates, \d+s/);
  // What hides the cursor shows it again.
  assert.equal(output.split('\u001b[?25l').length, output.split('\u001b[?25h').length);
  assert.match(output, /^coefficient +encrypted +pooled plaintext/m);
  assert.match(output, /^final cost .*; from sums with noise\)$/m);
  assert.match(output, /^privacy {13}zero-concentrated differential privacy$/m);
  // Three updates and the round that evaluates.
  assert.match(output, /^spent {15}rho 0\.\d+ \(epsilon [34](\.\d+)?, delta 0\.000001\) per record, over 4 rounds$/m);
  assert.match(output, /^does not protect {4}against The model owner: it decrypts the exact sum of every round/m);
});

test('--help shows every option and an example', async () => {
  const { code, output, complaint } = await runScript('scripts/demo.sh', ['--help']);
  assert.deepEqual([code, complaint], [0, '']);
  for (const each of ['--data', '--model', '--owners', '--json', 'Example:']) assert.ok(output.includes(each), each);
});

test.run();
