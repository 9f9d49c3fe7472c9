/** The example for three machines, as its README says it, command by command, with real processes and real certificates. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import type { ModelView, PredictionView } from '../../parties/model-owner/views.ts';
import { createTransport } from '../../src/http/transport.ts';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { readTable } from '../../src/learning/table.ts';
import { type RunningScript, startScript } from '../scripts/processes.ts';
import { createHosts, type HostLetter, type Hosts, hostNames, localiseConfigs, prepareUnit, stepsOf } from './hosts.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = `${root}examples/three-hosts/`;
const linearData = `${root}examples/linear/data.csv`;
const steps = stepsOf(readFileSync(`${example}README.md`, 'utf8'));
const letters = Object.keys(hostNames) as HostLetter[];

interface Context {
  hosts: Hosts;
  /** By unit, such as sealsum-facilitator@sums. */
  running: Map<string, RunningScript>;
}

const test = suite<Context>('three hosts: as the README says it');

/** Runs the blocks below a heading on their hosts, and gives what they printed. */
async function follow(hosts: Hosts, heading: RegExp, edit = (commands: string): string => commands): Promise<string> {
  const blocks = steps.filter((step) => heading.test(step.heading));
  assert.ok(blocks.length > 0, String(heading));
  let printed = '';
  for (const step of blocks) for (const host of step.hosts) printed += await hosts.run(host, edit(step.commands));
  return printed;
}

async function startUnit({ hosts, running }: Context, host: HostLetter, unit: string): Promise<void> {
  const [script = '', ...args] = await prepareUnit(hosts, host, unit);
  running.set(unit, startScript(relative(root, script), args));
}

function listening(script: RunningScript | undefined): Promise<string> {
  assert.ok(script !== undefined);
  return script.printed(/ listens at \S+$/m);
}

async function accessToken(hosts: Hosts): Promise<string> {
  return (await readFile(hosts.at('B', '/etc/sealsum/research/access-token'), 'utf8')).trim();
}

function authorityOf(hosts: Hosts): string {
  return readFileSync(hosts.at('A', '/srv/exchange/authority.pem'), 'utf8');
}

test.before(async (context) => {
  context.hosts = await createHosts();
  context.running = new Map();
});

test.after(async ({ hosts, running }) => {
  for (const script of running.values()) await script[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
});

test('a project, identities, a roster, certificates, configurations and units are made on three hosts', async ({
  hosts,
}) => {
  const last = steps.findIndex(({ heading }) => heading.endsWith('start'));
  const headings = new Set(steps.slice(0, last).map(({ heading }) => heading));
  let digests: string[] = [];
  for (const heading of headings) {
    const printed = await follow(hosts, new RegExp(`^${heading}$`));
    if (heading.includes('roster, certificates')) digests = printed.match(/^roster .*$/gm) ?? [];
  }
  assert.equal(digests.length, 3);
  assert.equal(new Set(digests).size, 1, 'the roster is the same on all hosts');
  for (const host of letters) await localiseConfigs(hosts, host);
  // Nobody but the parties can read what is secret, whatever the umask of whoever typed the commands.
  for (const [host, file] of [
    ['A', 'sums/identity.json'],
    ['A', 'sums/tls/key.pem'],
    ['B', 'north/identity.json'],
    ['B', 'research/tls/key.pem'],
    ['B', 'research/access-token'],
    ['C', 'south/tls/key.pem'],
  ] as const)
    assert.equal((await stat(hosts.at(host, `/etc/sealsum/${file}`))).mode & 0o777, 0o600, file);
});

test('every unit starts, whoever is first, and the training gives what pooled plaintext training gives', async (context) => {
  const { hosts, running } = context;
  const rows = readFileSync(linearData, 'utf8').trim().split('\n');
  for (const [index, [host, owner]] of (
    [
      ['A', 'west'],
      ['B', 'north'],
      ['C', 'south'],
    ] as const
  ).entries()) {
    const share = rows.filter((_, line) => line === 0 || (line + 1) % 3 === index);
    await writeFile(hosts.at(host, `/srv/sealsum/${owner}.csv`), `${share.join('\n')}\n`);
  }
  await follow(hosts, /: start$/);
  // The facilitator comes last.
  for (const host of letters.toReversed())
    for (const unit of (await hosts.enabled(host)).toReversed()) await startUnit(context, host, unit);
  assert.deepEqual([...running.keys()].sort(), [
    'sealsum-data-owner@north',
    'sealsum-data-owner@south',
    'sealsum-data-owner@west',
    'sealsum-facilitator@sums',
    'sealsum-model-owner@research',
  ]);
  for (const script of running.values()) await listening(script);

  const document = JSON.parse(readFileSync(`${example}training.json`, 'utf8')) as Record<string, unknown>;
  const shorter = `${hosts.folder('B')}/training.json`;
  await writeFile(shorter, JSON.stringify({ ...document, encryption: { key_bits: 2048 } }));
  const printed = await follow(hosts, /: train$/, (commands) =>
    commands.replace('/opt/sealsum/examples/three-hosts/training.json', shorter),
  );
  const answer = JSON.parse(printed) as PredictionView;
  const model = parseModel(document);
  const records = encodeTable(compileFeatures(model), await readTable({ path: linearData }, model.data_props));
  const pooled = trainPooled(model, records).metrics as { readonly mse: number };
  assert.ok(Math.abs((answer.cost ?? 0) - pooled.mse) < 1e-6 * pooled.mse, `${answer.cost} is not ${pooled.mse}`);
  assert.equal(answer.predictions.length, 2);
});

test('whoever has no certificate of the authority, or no token, is not served', async ({ hosts }) => {
  const { facilitator, modelOwner } = hosts.ports;
  const ca = authorityOf(hosts);
  await using stranger = createTransport({ ca });
  await assert.rejects(stranger.fetch(`https://localhost:${facilitator}/healthz`));
  const own = (file: string): string => readFileSync(hosts.at('C', `/etc/sealsum/south/tls/${file}`), 'utf8');
  await using known = createTransport({ ca, cert: own('certificate.pem'), key: own('key.pem') });
  const healthy = await known.fetch(`https://localhost:${facilitator}/healthz`);
  assert.equal(healthy.status, 200);
  await healthy.text();

  const models = `https://localhost:${modelOwner}/models`;
  const asked = async (headers: Record<string, string>): Promise<{ status: number; body: string }> => {
    const response = await stranger.fetch(models, { headers });
    return { status: response.status, body: await response.text() };
  };
  const token = await accessToken(hosts);
  assert.equal((await asked({ authorization: `Bearer ${token}` })).status, 200);
  for (const authorization of [undefined, 'Bearer ', `Bearer ${token.slice(1)}0`, `Basic ${token}`]) {
    const { status, body } = await asked(authorization === undefined ? {} : { authorization });
    assert.equal(status, 401);
    assert.ok(!body.includes(token));
  }
  // Nobody speaks without TLS there.
  await assert.rejects(fetch(models.replace('https', 'http')));
});

test('a model owner that is killed and started again has its model', async (context) => {
  const { hosts, running } = context;
  const unit = 'sealsum-model-owner@research';
  const before = running.get(unit);
  before?.kill('SIGKILL');
  await before?.ended;
  await startUnit(context, 'B', unit);
  await listening(running.get(unit));
  await using transport = createTransport({ ca: authorityOf(hosts) });
  const authorization = `Bearer ${await accessToken(hosts)}`;
  const response = await transport.fetch(`https://localhost:${hosts.ports.modelOwner}/models`, {
    headers: { authorization },
  });
  const { models } = (await response.json()) as { models: ModelView[] };
  assert.deepEqual(
    models.map(({ status }) => status),
    ['finished'],
  );
});

test('later: the log is whole, the store is copied while it is used, and the identity is rotated', async ({
  hosts,
}) => {
  const printed = await follow(hosts, /: later$/);
  assert.match(printed, /^the audit log is whole: \d+ entries$/m);
  assert.match(printed, /north\.backup\.sqlite: \d+ bytes, the store of a data-owner$/m);
  assert.match(printed, /^north has a new identity in /m);
  // As it stands in the README, passphrase_file names a credential that only the service sees.
  assert.match(
    await readFile(hosts.at('B', '/etc/sealsum/north/config.toml'), 'utf8'),
    /^passphrase_file = .*credentials/m,
  );
});

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

if (hasOpenssl()) test.run();
else {
  console.log('skipped: there is no openssl to make certificates with');
  const none = suite('three hosts: as the README says it');
  none.skip('needs openssl', () => undefined);
  none.run();
}
