/** `sealsum status` of parties that run as processes, a job of theirs from its beginning to its end. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { readRoster, writeRoster } from '../../src/config/roster-file.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { testIdentity } from '../support/identities.ts';
import { program } from '../support/program.ts';
import { createProject, startCommand, type TestProject } from './project.ts';

interface Status {
  readonly role: string;
  readonly name?: string;
  readonly ready: boolean;
  readonly reason?: string;
  readonly facilitator?: { readonly connected: boolean };
  readonly connected_owners?: readonly string[];
  readonly jobs?: readonly {
    readonly job: string;
    readonly status: string;
    readonly owners: number;
    readonly round: number;
  }[];
  readonly owned_jobs?: readonly { readonly status: string; readonly records?: number }[];
  readonly models?: readonly { readonly id: string; readonly status: string; readonly updates: number }[];
  readonly privacy?: { readonly accounts: readonly unknown[] };
}

const test = suite<{ project: TestProject; stop: AsyncDisposableStack; model: string }>('sealsum status');
const command = program('src/cli/main.ts');
const sample = linearSample(30);

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...command, ...args], { encoding: 'utf8' });
}

function statusOf(...args: readonly string[]): Status {
  const { status, stdout, stderr } = run('status', '--json', ...args);
  assert.deepEqual([status, stderr], [0, '']);
  return JSON.parse(stdout) as Status;
}

test.before(async (context) => {
  const project = await createProject(['owner-1', 'owner-2']);
  context.project = project;
  const parts = dealtOut(sample, 2);
  context.model = join(project.folder, 'model.json');
  const document = {
    ...sample.document,
    training: { solver: 'normal-equations' },
    encryption: { key_bits: 2048 },
    participation: { quorum: 2, deadline_seconds: 30 },
  };
  await writeFile(context.model, JSON.stringify(document));
  for (const [index, text] of parts.entries())
    await writeFile(join(project.folder, `owner-${index + 1}`, 'data.csv'), text);
});

test.after(async ({ project }) => {
  await project[Symbol.asyncDispose]();
});

test('a party that does not run is not reachable', ({ project }) => {
  const { status, stdout, stderr } = run('status', '--config', project.config('model-owner'));
  assert.deepEqual([status, stdout], [3, '']);
  assert.match(stderr, /^sealsum: http:\/\/127\.0\.0\.1:\d+ does not answer; is the model owner running\?\n$/);
});

test('every party tells how it fares, before and after a training, and --watch what happens meanwhile', async ({
  project,
  model,
}) => {
  await using facilitator = await startCommand(['facilitator', '--config', project.config('facilitator')]);
  await using first = await startCommand(['data-owner', '--config', project.config('owner-1')]);
  await using second = await startCommand(['data-owner', '--config', project.config('owner-2'), '--port', '0']);
  await using modelOwner = await startCommand(['model-owner', '--config', project.config('model-owner')]);
  assert.notEqual(second.url, first.url);
  while (statusOf('--config', project.config('facilitator')).connected_owners?.length !== 2);

  const before = statusOf('--config', project.config('model-owner'));
  assert.deepEqual([before.role, before.name, before.ready, before.models], ['model-owner', 'model-owner', true, []]);
  assert.deepEqual(statusOf('--url', modelOwner.url).models, []);
  const alone = run('status', '--url', facilitator.url);
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /a facilitator answers signed requests only: name the config\.toml/);

  const watching = ['facilitator', 'owner-1'].map((name) => watch(project.config(name)));
  await Promise.all(watching.map(({ begun }) => begun));
  // A reader of the first line alone ends it with the next one.
  const left = spawn(process.execPath, [...command, 'status', '--watch', '--config', project.config('facilitator')]);
  const leftCode = new Promise((resolve) => left.once('close', resolve));
  await once(left.stdout, 'data');
  left.stdout.destroy();
  const trained = run('train', model, '--model-owner', modelOwner.url);
  assert.equal(trained.status, 0, trained.stderr);
  assert.equal(await leftCode, 0);
  const [all, own] = await Promise.all(watching.map(({ untilEnded }) => untilEnded));
  assert.ok(all !== undefined && own !== undefined);
  for (const each of [all, own]) assert.deepEqual([each.code, each.errors], [0, '']);
  const types = all.events.map(({ type }) => type);
  for (const type of [
    'job.created',
    'owner.answered',
    'round.opened',
    'round.contribution',
    'round.closed',
    'job.ended',
  ])
    assert.ok(types.includes(type), type);
  assert.deepEqual(new Set(all.events.flatMap(({ owner }) => owner ?? [])), new Set(['owner-1', 'owner-2']));
  // What the other owner does is not for it to know.
  assert.deepEqual(new Set(own.events.flatMap(({ owner }) => owner ?? [])), new Set(['owner-1']));
  assert.ok(all.events.every((event) => !('view' in event)));

  const after = statusOf('--config', project.config('facilitator'));
  assert.deepEqual(
    after.jobs?.map(({ status, owners, round }) => [status, owners, round]),
    [['finished', 2, 1]],
  );
  const owner = statusOf('--url', first.url);
  assert.deepEqual([owner.name, owner.facilitator?.connected], ['owner-1', true]);
  assert.equal(owner.owned_jobs?.length, 1);
  assert.equal(statusOf('--config', project.config('model-owner')).models?.[0]?.status, 'finished');
  const [job] = after.jobs ?? [];
  assert.ok(job !== undefined);
  const kept = run('verify', 'model', job.job, '--config', project.config('owner-1'));
  assert.deepEqual([kept.status, kept.stderr], [0, '']);
  assert.match(kept.stdout, /^included: the contributions to 1 round of \S+\n$/);
  // A roster that names another facilitator's key: whoever signed is nobody of it.
  const stranger = await withOtherFacilitator(project, () =>
    run('verify', 'model', job.job, '--config', project.config('owner-1'), '--json'),
  );
  assert.deepEqual([stranger.status, stranger.stderr], [1, '']);
  assert.match(stranger.stdout, /"whole":false.*"not included".*none of the facilitators of the roster/);
  assert.equal(run('verify', 'model', 'nobody', '--config', project.config('owner-1')).status, 1);
  assert.equal(run('verify', 'model', 'nobody', '--config', project.config('facilitator')).status, 2);
  const words = run('status', '--config', project.config('model-owner')).stdout;
  assert.match(words, /^model owner model-owner at \S+: ready\n\nmodels: 1\n {2}\S+ .* finished .* 2\/2 owners ready/);
  assert.match(
    run('status', '--config', project.config('owner-1')).stdout,
    /facilitator facilitator at .*: connected\n/,
  );
  assert.match(run('status', '--config', project.config('facilitator')).stdout, /finished .*2 owners .*round 1/);
});

/** While the roster file names another key for the facilitator. The parties do not look at it: nothing is asked of them by others. */
async function withOtherFacilitator<T>(project: TestProject, work: () => T): Promise<T> {
  const file = join(project.folder, 'roster.toml');
  const roster = await readRoster(file);
  const { publicKey } = testIdentity('facilitator', 'facilitator');
  const parties = roster.parties.map((party) => (party.role === 'facilitator' ? { ...party, key: publicKey } : party));
  await writeRoster(file, { parties }, { replace: true });
  try {
    return work();
  } finally {
    await writeRoster(file, roster, { replace: true });
  }
}

interface Watched {
  readonly code: number | null;
  readonly errors: string;
  readonly events: readonly { readonly type: string; readonly owner?: string }[];
}

/** Watches until a job has ended, and then presses Ctrl-C. */
function watch(config: string): { readonly begun: Promise<void>; readonly untilEnded: Promise<Watched> } {
  const child = spawn(process.execPath, [...command, 'status', '--watch', '--json', '--config', config]);
  let [output, errors] = ['', ''];
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    // The status is told once the line stands.
    if (output.includes('\n')) begin();
    if (output.includes('"job.ended"')) child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString('utf8');
  });
  const untilEnded = new Promise<Watched>((resolve) => {
    child.once('close', (code) => {
      const events = output
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => JSON.parse(line) as Watched['events'][number]);
      resolve({ code, errors, events });
    });
  });
  return { begun, untilEnded };
}

test.run();
