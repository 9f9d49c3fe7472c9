/** `sealsum doctor`: each thing that a party needs is broken in turn, with real files and sockets, and told with its mend. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import { judgeCertificate } from '../../src/cli/doctor/file-checks.ts';
import { findingsOf } from '../../src/cli/doctor/finding.ts';
import { machineChecks } from '../../src/cli/doctor/machine-checks.ts';
import { storeChecks } from '../../src/cli/doctor/store-checks.ts';
import { registerDoctorCommand } from '../../src/cli/doctor-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type ProjectServices, systemServices } from '../../src/cli/project-services.ts';
import { rotateIdentity } from '../../src/config/change-secrets.ts';
import { readAnyConfig } from '../../src/config/load.ts';
import { readRoster, writeRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { nobody } from '../config/silent.ts';
import { createAuthority } from '../http/certificates.ts';
import { testIdentity } from '../support/identities.ts';
import { program } from '../support/program.ts';
import { capture } from './capture.ts';
import { createProject, freePorts, type Started, startCommand, type TestProject } from './project.ts';
import { runSealsum } from './run.ts';

interface Found {
  readonly check: string;
  readonly status: string;
  readonly message: string;
  readonly mend?: string;
}

interface Context {
  project: TestProject;
  facilitator: Started;
  secrets: string[];
}

const test = suite<Context>('sealsum doctor');
const printed: string[] = [];

/** What it finds; the exit code must be what the findings say. */
async function doctor(config: string, services: Partial<ProjectServices> = {}): Promise<readonly Found[]> {
  const { code, output, errors } = await capture(async () => {
    const program = createProgram();
    registerDoctorCommand(program, { ...systemServices, env: {}, terminal: nobody, ...services });
    await program.parseAsync(['node', 'sealsum', 'doctor', '--json', '--config', config]);
  });
  printed.push(output, errors);
  const said = JSON.parse(output) as { ok: boolean; findings: readonly Found[] };
  assert.equal(code, said.findings.some(({ status }) => status === 'problem') ? 1 : 0);
  assert.equal(said.ok, code === 0);
  return said.findings;
}

/** The one problem or warning there is, after all that is expected to be well. */
function only(found: readonly Found[], status: 'problem' | 'warning', check: string): Found {
  const these = found.filter((each) => each.status === status && each.check === check);
  assert.equal(these.length, 1, JSON.stringify(found, undefined, 2));
  // Whatever is wrong comes with what to do.
  for (const each of found) if (['problem', 'warning'].includes(each.status)) assert.ok(each.mend, each.message);
  return these[0] as Found;
}

async function whileReplaced<T>(file: string, content: string | undefined, work: () => Promise<T>): Promise<T> {
  const kept = `${file}.kept`;
  await rename(file, kept);
  try {
    if (content !== undefined) await writeFile(file, content, { mode: 0o600 });
    return await work();
  } finally {
    await rm(file, { force: true });
    await rename(kept, file);
  }
}

test.before(async (context) => {
  context.project = await createProject(['owner-1', 'owner-2']);
  const { project } = context;
  await writeFile(join(dirname(project.config('owner-1')), 'data.csv'), 'age,stay\n1,2\n');
  context.facilitator = await startCommand(['facilitator', '--config', project.config('facilitator')]);
  context.secrets = [];
  for (const party of ['facilitator', 'owner-1', 'model-owner'])
    context.secrets.push((await readFile(join(project.folder, party, 'passphrase'), 'utf8')).trim());
});

test.after(async ({ project, facilitator }) => {
  await facilitator[Symbol.asyncDispose]();
  await project[Symbol.asyncDispose]();
});

test('where all is well it says so, of every party, running or not', async ({ project }) => {
  const owner = await doctor(project.config('owner-1'));
  assert.deepEqual(
    owner.filter(({ status }) => status === 'problem' || status === 'skipped'),
    [],
  );
  const checks = new Set(owner.map(({ check }) => check));
  for (const check of [
    ...['node', 'memory', 'arithmetic', 'configuration', 'roster', 'passphrase', 'identity', 'access', 'data'],
    ...['folder', 'disk', 'store', 'port', 'reachability', 'clock', 'admission'],
  ])
    assert.ok(checks.has(check), check);
  const facilitator = await doctor(project.config('facilitator'));
  assert.match(
    facilitator.find(({ check }) => check === 'port')?.message ?? '',
    /in use by a running sealsum facilitator/,
  );
  assert.match(facilitator.find(({ check }) => check === 'store')?.message ?? '', /opens, version \d+, and is whole$/);
  assert.deepEqual(
    (await doctor(project.config('model-owner'))).filter(({ status }) => status === 'problem'),
    [],
  );
});

test('as a process: lines for people, one object for machines, and the exit code', async ({ project }) => {
  const well = await runSealsum(['doctor', '--config', project.config('owner-1')]);
  assert.deepEqual([well.code, well.errors], [0, '']);
  assert.match(well.output, /^ok {7}node {11}Node\.js /);
  assert.match(well.output, /\n\nno problem, \d warnings?\n$/);
  const ill = await runSealsum(['doctor', '--config', join(project.folder, 'none.toml')]);
  assert.deepEqual([ill.code, ill.errors], [1, '']);
  assert.match(ill.output, /\nproblem {2}configuration {2}.*none\.toml cannot be read: there is no such file/);
  assert.match(ill.output, /\n1 problem, \d warnings?\n$/);
  printed.push(well.output, ill.output);
});

test('a configuration with a misspelt field is told with the name that was meant', async ({ project }) => {
  const file = project.config('owner-1');
  const text = await readFile(file, 'utf8');
  const found = await whileReplaced(file, `rooster = "x"\n${text}`, () => doctor(file));
  assert.match(only(found, 'problem', 'configuration').message, /rooster is not a known field; did you mean roster\?/);
});

test('identity and passphrase: readable by others, missing, wrong, unknown', async ({ project }) => {
  const config = project.config('owner-1');
  const identity = join(dirname(config), 'identity.json');
  const passphrase = join(dirname(config), 'passphrase');
  await chmod(identity, 0o644);
  try {
    assert.match(only(await doctor(config), 'problem', 'identity').message, /can be read by others; chmod 600/);
  } finally {
    await chmod(identity, 0o600);
  }
  const missing = await whileReplaced(passphrase, undefined, () => doctor(config));
  assert.match(only(missing, 'problem', 'passphrase').message, /passphrase cannot be read: there is no such file/);
  const wrong = await whileReplaced(passphrase, 'guess', () => doctor(config));
  assert.match(only(wrong, 'problem', 'identity').message, /passphrase/);
  const text = (await readFile(config, 'utf8')).replace(/^passphrase_file.*$/m, '');
  const unknown = await whileReplaced(config, text, () => doctor(config));
  assert.deepEqual(
    unknown.filter(({ status }) => status === 'skipped').map(({ check }) => check),
    ['identity', 'admission'],
  );
});

test('a token that no party takes, and a configuration that names somebody whom the roster does not', async ({
  project,
}) => {
  const config = project.config('model-owner');
  const text = await readFile(config, 'utf8');
  const token = join(dirname(config), 'token');
  await writeFile(token, 'with spaces '.repeat(4), { mode: 0o600 });
  const guarded = await whileReplaced(config, `access_token_file = "token"\n${text}`, () => doctor(config));
  assert.match(only(guarded, 'problem', 'access').message, /expected 32 or more letters and digits/);
  await writeFile(token, 'a'.repeat(64));
  const well = await whileReplaced(config, `access_token_file = "token"\n${text}`, () => doctor(config));
  assert.match(well.find(({ check }) => check === 'access')?.message ?? '', /with its token/);
  const owners = await whileReplaced(config, `owners = ["owner-1", "nobody"]\n${text}`, () => doctor(config));
  assert.match(only(owners, 'problem', 'roster').message, /owners: .* does not name nobody/);
});

test('one that is stopped says nothing more, and ends with the code of an interruption', async ({ project }) => {
  // Whoever takes a connection and says nothing is waited for.
  const silent = createTcpServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const file = project.config('owner-1');
  const text = (await readFile(file, 'utf8')).replace(/^\[facilitator\][^[]*/m, '');
  try {
    await whileReplaced(file, `${text}\n[facilitator]\nurl = "http://127.0.0.1:${port}"\n`, async () => {
      const command = program('src/cli/main.ts');
      const child = spawn(process.execPath, [...command, 'doctor', '--config', file]);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8');
      });
      const [accepted, ended] = [once(silent, 'connection'), once(child, 'close')];
      await accepted;
      child.kill('SIGINT');
      assert.deepEqual((await ended)[0], 130);
      assert.match(output, /\nok {7}port .*\n$/);
    });
  } finally {
    silent.close();
  }
});

test('roster: missing, without this party, with another role or key, after a rotation', async ({ project }) => {
  const config = project.config('owner-1');
  const file = join(project.folder, 'roster.toml');
  const roster = await readRoster(file);
  const other = testIdentity('owner-1', 'data-owner');
  const withOwner = (change: (entry: (typeof roster.parties)[number]) => (typeof roster.parties)[number][]) =>
    whileReplaced(file, undefined, async () => {
      const parties = roster.parties.flatMap((entry) => (entry.name === 'owner-1' ? change(entry) : [entry]));
      await writeRoster(file, { parties }, { replace: false });
      return await doctor(config);
    });
  const missing = await whileReplaced(file, undefined, () => doctor(config));
  assert.match(only(missing, 'problem', 'roster').message, /roster\.toml cannot be read/);
  assert.match(only(missing, 'problem', 'roster').mend ?? '', /present roster\.toml/);
  const left = only(await withOwner(() => []), 'problem', 'roster');
  assert.match(left.message, /does not name owner-1/);
  assert.match(left.mend ?? '', /sealsum admit/);
  const role = await withOwner((entry) => [{ ...entry, role: 'model-owner' }]);
  assert.match(only(role, 'problem', 'roster').message, /says that owner-1 is a model-owner/);
  const key = await withOwner((entry) => [{ ...entry, key: other.publicKey }]);
  assert.match(only(key, 'problem', 'identity').message, /names another key of owner-1/);
});

test('a rotation that is not admitted yet is a warning, and the old identity still speaks', async ({ project }) => {
  const config = project.config('owner-2');
  const folder = dirname(config);
  const roster = await readRoster(join(project.folder, 'roster.toml'));
  const passphrase = (await readFile(join(folder, 'passphrase'), 'utf8')).trim();
  await copyFile(join(folder, 'identity.json'), join(folder, 'kept.json'));
  await rotateIdentity(await readAnyConfig(config), roster, passphrase, { random: systemRandom, now: Date.now() });
  const found = await doctor(config);
  assert.match(only(found, 'warning', 'identity').message, /goes on with that one/);
  assert.match(only(found, 'warning', 'identity').mend ?? '', /sealsum admit/);
  assert.equal(found.find(({ check }) => check === 'admission')?.status, 'ok');
  await rename(join(folder, 'kept.json'), join(folder, 'identity.json'));
  const back = await doctor(config);
  assert.match(only(back, 'warning', 'identity').message, /identity\.old\.json is still there/);
});

test('store: no folder, readable by others, damaged, of another role; PostgreSQL that answers and one that does not', async ({
  project,
}) => {
  const config = project.config('owner-1');
  const text = (await readFile(config, 'utf8')).replace(/^store.*$/m, '');
  const withStore = (store: string) =>
    whileReplaced(config, `store = ${JSON.stringify(store)}\n${text}`, () => doctor(config));
  const nowhere = await withStore(join(project.folder, 'nowhere', 'state.sqlite'));
  assert.match(
    only(nowhere, 'problem', 'folder').message,
    /nothing can be written to .*nowhere: there is no such file or folder/,
  );
  const file = join(project.folder, 'doctored.sqlite');
  await (await openDatabase(file, { role: 'model-owner' })).close();
  const role = only(await withStore(file), 'problem', 'store');
  assert.match(role.message, /is the store of a model-owner, not of a data-owner/);
  await rm(file);
  await (await openDatabase(file, { role: 'data-owner' })).close();
  assert.equal((await withStore(file)).find(({ check }) => check === 'store')?.status, 'ok');
  await chmod(file, 0o644);
  assert.match(only(await withStore(file), 'problem', 'store').message, /chmod 600/);
  await chmod(file, 0o600);
  // The last page is part of a table or an index: its header says what it is no more.
  const bytes = await readFile(file);
  await writeFile(file, Buffer.concat([bytes.subarray(0, -4096), Buffer.alloc(4096, 0xa5)]));
  const damaged = only(await withStore(file), 'problem', 'store');
  assert.match(damaged.message, /damaged/);
  assert.match(`${damaged.mend ?? ''} ${damaged.message}`, /backup/);
  const reached = await withStore('postgres://postgres@127.0.0.1:5432/test?schema=doctor_has_made_nothing');
  if (reached.find(({ check }) => check === 'store')?.status !== 'ok') console.log('skipped: there is no PostgreSQL');
  else assert.match(reached.find(({ check }) => check === 'store')?.message ?? '', /answers and holds no store yet/);
  const none = await withStore('postgres://me:s3cret-of-the-store@ /sums');
  assert.match(only(none, 'problem', 'store').message, /expected postgres:/);
  const dead = await withStore('postgres://me:s3cret-of-the-store@127.0.0.1:1/sums');
  assert.match(only(dead, 'problem', 'store').message, /127\.0\.0\.1:1/);
});

test('a full disk, an old Node, little memory', async ({ project }) => {
  const config = await readAnyConfig(project.config('owner-1'));
  const disk = async (free: number): Promise<string> => {
    const check = storeChecks(config, () => Promise.resolve(free)).find(({ name }) => name === 'disk');
    assert.ok(check !== undefined);
    return (await findingsOf(check)).map(({ status }) => status).join();
  };
  assert.deepEqual([await disk(2 ** 20), await disk(2 ** 29), await disk(2 ** 40)], ['problem', 'warning', 'ok']);
  const machine = async (freeMemory: number, node = '20.0.0'): Promise<string> => {
    const [version, memory] = machineChecks({ node, freeMemory, totalMemory: 2 ** 34 });
    assert.ok(version !== undefined && memory !== undefined);
    return [...(await findingsOf(version)), ...(await findingsOf(memory))].map(({ status }) => status).join();
  };
  assert.equal(await machine(2 ** 33, '18.20.4'), 'problem,ok');
  assert.equal(await machine(2 ** 29), 'ok,warning');
  assert.equal(await machine(2 ** 27), 'ok,problem');
});

test('a port that another program has', async ({ project }) => {
  const { port } = new URL(project.url('model-owner'));
  const stranger = createServer((_request, response) => response.end('hello')).listen(Number(port), '127.0.0.1');
  try {
    await once(stranger, 'listening');
    const found = only(await doctor(project.config('model-owner')), 'problem', 'port');
    assert.match(found.message, /in use by a program that is no party of sealsum/);
    assert.match(found.mend ?? '', /listen\.port/);
  } finally {
    stranger.close();
  }
});

test('a facilitator that does not run, is something else, or does not know this party; clocks that differ', async ({
  project,
}) => {
  const config = project.config('owner-1');
  const text = (await readFile(config, 'utf8')).replace(/^\[facilitator\][^[]*/m, '');
  const at = (url: string): Promise<readonly Found[]> =>
    whileReplaced(config, `${text}\n[facilitator]\nurl = "${url}"\n`, () => doctor(config));
  const [port] = await freePorts(1);
  const silent = await at(`http://127.0.0.1:${port ?? 0}`);
  assert.match(only(silent, 'problem', 'reachability').message, /does not answer \(ECONNREFUSED\)/);
  assert.match(only(silent, 'problem', 'reachability').mend ?? '', /is it running/);
  assert.deepEqual(
    silent.filter(({ status }) => status === 'skipped').map(({ check }) => check),
    ['clock', 'admission'],
  );
  const other = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ info: { title: 'sealsum model owner', version: '0' } }));
  }).listen(port, '127.0.0.1');
  try {
    await once(other, 'listening');
    const found = await at(`http://127.0.0.1:${port ?? 0}`);
    assert.match(only(found, 'problem', 'reachability').message, /is no facilitator, but a sealsum model owner/);
  } finally {
    other.closeAllConnections();
    other.close();
  }
  for (const [seconds, clock] of [
    [90, 'problem'],
    [-90, 'problem'],
    [40, 'warning'],
  ] as const) {
    const late = { ...systemClock, now: () => Date.now() + seconds * 1000 };
    const found = await doctor(config, { clock: late });
    const direction = seconds < 0 ? 'behind' : 'ahead of';
    assert.match(
      only(found, clock, 'clock').message,
      new RegExp(`this clock is \\d+ s ${direction} that of facilitator; 60 s`),
    );
    assert.equal(found.find(({ check }) => check === 'admission')?.status, clock === 'problem' ? 'problem' : 'ok');
  }
});

test('certificates: about to end, ended, not yet valid; a facilitator whose certificate nobody here trusts', async ({
  project,
}) => {
  const authority = createAuthority('doctor');
  if (authority === undefined) return;
  const now = Date.UTC(2026, 0, 15);
  const judge = (validFrom: string, validTo: string): string =>
    judgeCertificate({ validFrom, validTo, fingerprint256: 'AA', subjectAltName: 'DNS:x' }, 'it', now).status;
  assert.equal(judge('Jan 1 00:00:00 2026 GMT', 'Jan 1 00:00:00 2027 GMT'), 'ok');
  assert.equal(judge('Jan 1 00:00:00 2026 GMT', 'Jan 20 00:00:00 2026 GMT'), 'warning');
  assert.equal(judge('Jan 1 00:00:00 2025 GMT', 'Jan 1 00:00:00 2026 GMT'), 'problem');
  assert.equal(judge('Feb 1 00:00:00 2026 GMT', 'Jan 1 00:00:00 2027 GMT'), 'problem');
  const { cert, key } = authority.issue('facilitator', 'IP:127.0.0.1');
  const config = project.config('facilitator');
  const folder = dirname(config);
  await writeFile(join(folder, 'tls.pem'), cert);
  await writeFile(join(folder, 'tls.key'), key, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), authority.cert);
  const [port = 0] = await freePorts(1);
  const served = join(folder, 'tls.toml');
  const tls = '[tls]\ncertificate = "tls.pem"\nkey = "tls.key"\n';
  const plain = (await readFile(config, 'utf8')).replace(/^store.*$/m, '');
  await writeFile(served, `store = "tls.sqlite"\n${plain}\n${tls}`);
  await using running = await startCommand(['facilitator', '--config', served, '--port', String(port)]);
  const ofOwner = project.config('owner-1');
  const text = (await readFile(ofOwner, 'utf8')).replace(/^\[facilitator\][^[]*/m, '');
  const at = (ca: string): Promise<readonly Found[]> =>
    whileReplaced(ofOwner, `${text}\n[facilitator]\nurl = "${running.url}"\n${ca}`, () => doctor(ofOwner));
  const strange = only(await at(''), 'problem', 'reachability');
  assert.match(strange.message, /TLS fails: (UNABLE_TO|SELF_SIGNED)/);
  assert.match(strange.mend ?? '', /facilitator\.ca/);
  const trusted = await at(`ca = ${JSON.stringify(join(folder, 'ca.pem'))}\n`);
  // It is good for two days.
  assert.match(
    only(trusted, 'warning', 'reachability').message,
    /SHA-256 [0-9A-F:]{95}: 1 day are left|days? are left/,
  );
  assert.equal(trusted.find(({ check }) => check === 'admission')?.status, 'ok');
  // Its port is that of the facilitator without TLS, which is not this one.
  assert.match(only(await doctor(served), 'problem', 'port').message, /is not this party: TLS fails/);
  const itself = served.replace('tls.toml', 'itself.toml');
  const ports = (await readFile(served, 'utf8')).replace(/^port *=.*$/m, `port = ${port}`);
  await writeFile(itself, ports);
  const mine = (await doctor(itself)).find(({ check }) => check === 'port');
  assert.deepEqual([mine?.status, /with the certificate of this party$/.test(mine?.message ?? '')], ['ok', true]);
  const other = authority.issue('facilitator', 'IP:127.0.0.1');
  await writeFile(join(folder, 'tls.pem'), other.cert);
  await writeFile(join(folder, 'tls.key'), other.key);
  assert.match(only(await doctor(itself), 'problem', 'port').message, /its certificate is another: SHA-256 /);
  await writeFile(join(folder, 'tls.pem'), cert);
  await writeFile(join(folder, 'tls.key'), key);
  const own = await doctor(served);
  assert.match(only(own, 'warning', 'certificate').message, /tls\.pem: for IP Address:127\.0\.0\.1/);
  const ended = authority.issue('facilitator', 'IP:127.0.0.1', -1);
  await writeFile(join(folder, 'tls.pem'), ended.cert);
  await writeFile(join(folder, 'tls.key'), ended.key);
  assert.match(only(await doctor(served), 'problem', 'certificate').message, /which is not now/);
});

test('nothing that was printed has a secret in it', ({ secrets }) => {
  const all = printed.join('\n');
  assert.ok(secrets.length === 3 && all.length > 1000);
  for (const secret of [...secrets, 's3cret-of-the-store']) assert.ok(!all.includes(secret));
});

test.run();
