/** Parties started by the command: the same process as the scripts start, stopped by the same signals, with the same exit code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { partyPrograms } from '../../src/cli/party-commands.ts';
import { program, root } from '../support/program.ts';
import { until } from '../support/until.ts';
import { createProject, startCommand, type TestProject } from './project.ts';

const test = suite<{ project: TestProject }>('sealsum facilitator, data-owner, model-owner');

test.before(async (context) => {
  context.project = await createProject(['owner-1']);
});

test.after(async ({ project }) => {
  await project[Symbol.asyncDispose]();
});

test('a party listens where its configuration says, and SIGTERM to the command stops it', async ({ project }) => {
  await using party = await startCommand(['facilitator', '--config', project.config('facilitator')]);
  assert.equal(party.url, project.url('facilitator'));
  assert.equal((await fetch(`${party.url}/healthz`)).status, 200);
  party.child.kill('SIGTERM');
  assert.equal(await party.ended, 0);
  assert.match(
    party.said.output,
    /^sealsum facilitator listens at \S+\nDashboard: .+\nsealsum facilitator has stopped\n$/,
  );
  await assert.rejects(fetch(`${party.url}/healthz`));
});

test('SIGUSR2 to the command prints what the dashboard is signed in to by once more, and ends nothing', async ({
  project,
}) => {
  await using party = await startCommand(['facilitator', '--config', project.config('facilitator')]);
  const announced = (): number => party.said.output.match(/^Dashboard: /gm)?.length ?? 0;
  await until('the first line', () => announced() === 1);
  party.child.kill('SIGUSR2');
  await until('a second line', () => announced() === 2);
  assert.equal((await fetch(`${party.url}/healthz`)).status, 200);
  party.child.kill('SIGTERM');
  assert.equal(await party.ended, 0);
});

test('Ctrl-C at a terminal, which both processes get, stops a party cleanly', async ({ project }) => {
  await using party = await startCommand(
    ['model-owner', '--config', project.config('model-owner'), '--port', '0'],
    true,
  );
  assert.notEqual(party.url, project.url('model-owner'));
  process.kill(-(party.child.pid ?? Number.NaN), 'SIGINT');
  assert.equal(await party.ended, 0);
  assert.match(party.said.output, /sealsum model owner has stopped\n$/);
});

test('what keeps a party from starting is said once, with its exit code; options are refused before it starts', ({
  project,
}) => {
  const run = (...args: readonly string[]): { status: number | null; stderr: string; stdout: string } =>
    spawnSync(process.execPath, [...program('src/cli/main.ts'), ...args], { encoding: 'utf8' });
  const mistaken = run('data-owner', '--config', project.config('facilitator'));
  assert.deepEqual([mistaken.status, mistaken.stdout], [1, '']);
  assert.match(mistaken.stderr, /^sealsum data owner: .*role.*\n$/);
  const misspelt = run('data-owner', '--confg', project.config('owner-1'));
  assert.deepEqual(
    [misspelt.status, misspelt.stderr],
    [2, "sealsum: unknown option '--confg' (Did you mean --config?)\n"],
  );
});

test('a party has the memory settings of its script', () => {
  for (const [role, { environment }] of Object.entries(partyPrograms)) {
    const script = readFileSync(join(root, 'scripts', `run_${role.replace('-', '_')}.sh`), 'utf8');
    // Settings of Node itself would have to be the command's, too.
    assert.match(script, /^exec node "\$root/m, role);
    const exported = [...script.matchAll(/^export (\w+)="\$\{\w+:-(\w+)\}"$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    assert.deepEqual(Object.fromEntries(exported), environment, role);
  }
});

test.run();
