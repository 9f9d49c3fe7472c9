/** `sealsum simulate-training` as a process: what it prints, what it refuses, and that nothing of it stays behind. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import { program, root } from '../support/program.ts';

const run = promisify(execFile);
const test = suite('sealsum simulate-training');

const simulate = (...options: string[]) =>
  run(process.execPath, [...program('src/cli/main.ts'), 'simulate-training', ...options], { cwd: root });
const small = ['--owners', '5', '--groups', '2', '--length', '30', '--key-bits', '2048'];

test('--json: every sum is the plain one, every milestone is there, and owners come nearer to their mean', async () => {
  const { stdout } = await simulate(...small, '--rounds', '2', '--json');
  const report = JSON.parse(stdout) as {
    owners: number;
    groups: number;
    milestones: { round: number; what: string; detail: string; seconds: number }[];
    greatestError: number;
    explainedError: number;
    distance: { before: number; after: number };
    bytes: {
      modelOwner: { sent: number; received: number };
      owner: { mean: { sent: number }; most: { sent: number } };
      facilitators: Record<string, { sent: number }>;
    };
  };
  assert.deepEqual([report.owners, report.groups], [5, 2]);
  assert.ok(report.greatestError > 0 && report.greatestError <= report.explainedError);
  // Two steps of half the way.
  assert.ok(Math.abs(report.distance.after / report.distance.before - 0.25) < 1e-6);
  const told = report.milestones.map(({ round, what }) => `${round} ${what}`);
  const everyRound = ['groups drawn', 'leaf folded', 'leaf folded', 'root folded', 'decrypted'];
  assert.deepEqual(
    told.sort(),
    ['1 joined', ...[1, 2].flatMap((round) => everyRound.map((what) => `${round} ${what}`))].sort(),
  );
  assert.ok(report.milestones.some(({ detail }) => detail === '2 + 3'));
  assert.deepEqual(Object.keys(report.bytes.facilitators).sort(), ['leaf-1', 'leaf-2', 'root']);
  // A ciphertext of 512 bytes in each round, and what is said about it.
  assert.ok(report.bytes.owner.mean.sent >= 1024 && report.bytes.owner.most.sent < 20_000);
  assert.equal(report.bytes.facilitators.root?.sent, 0);
  assert.ok((report.bytes.facilitators['leaf-1']?.sent ?? 0) > 1024);
});

test('--milestones tells them one by one, and a summary follows', async () => {
  const { stdout } = await simulate(...small, '--milestones');
  assert.match(stdout, /^round 1 +\d+\.\d{3} s {2}joined: 5 owners$/m);
  assert.match(stdout, /^round 1 +\d+\.\d{3} s {2}leaf folded: leaf-2$/m);
  assert.match(stdout, /^round 1 +\d+\.\d{3} s {2}root folded: root$/m);
  assert.match(stdout, /^5 owners in 2 groups, 30 values, 1 round: /m);
  assert.match(stdout, /^every sum is the plain one: /m);
});

for (const [options, message] of [
  [['--owners', '3'], /--owners.*from 4 to 1000/],
  [['--owners', '10', '--groups', '6'], /6 groups of two owners at least need 12 owners, not 10/],
  [['--groups', '0'], /--groups.*from 1 to 100/],
  [['--length', '1e3'], /--length.*whole number/],
  [['--bits', '24'], /--bits.*16, 32, 64/],
  [['--key-bits', '1024'], /--key-bits.*from 2048/],
  [['--key-bits', '2049'], /--key-bits.*multiple of 256/],
  [['nonsense'], /too many arguments|unexpected/i],
] as const)
  test(`${options.join(' ')}: one line and exit code 2`, async () => {
    await assert.rejects(simulate(...options), (error: { code: number; stderr: string; stdout: string }) => {
      assert.equal(error.code, 2);
      assert.match(error.stderr, message);
      assert.equal(error.stderr.trim().split('\n').length, 1);
      assert.equal(error.stdout, '');
      return true;
    });
  });

test('--help has examples', async () => {
  const { stdout } = await simulate('--help');
  assert.match(stdout, /sealsum simulate-training --owners 100 --groups 10 --milestones/);
});

test.run();
