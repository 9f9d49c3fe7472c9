import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import { changePassphrase, rotateIdentity } from '../../src/config/change-secrets.ts';
import { loadParty, readAnyConfig } from '../../src/config/load.ts';
import { createLocalProject } from '../../src/config/project.ts';
import { createRoster, readRoster, writeRoster } from '../../src/config/roster-file.ts';
import { admitSuccession, openSuccession } from '../../src/config/successor.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import { signObject, verifyObject } from '../../src/protocol/signed.ts';
import { type TestFolder, testFolder } from './folder.ts';
import { somebody, testServices } from './silent.ts';

interface Context {
  folder: TestFolder;
}

const test = suite<Context>('a party from its files');

const north = partyIdSchema.parse('north');
const rosterOf = (folder: TestFolder): string => folder.at('roster.toml');

test.before(async (context) => {
  context.folder = await testFolder();
  await createLocalProject(
    { folder: context.folder.path, owners: [north, partyIdSchema.parse('south')], passphrase: 'random' },
    systemRandom,
  );
});

test.after(async ({ folder }) => {
  await folder[Symbol.asyncDispose]();
});

test('all three of a new project load, know each other, and say nothing', async ({ folder }) => {
  const services = testServices();
  const config = (party: string): { config: string } => ({ config: folder.at(party, 'config.toml') });
  const [facilitator, modelOwner, owner] = await Promise.all([
    loadParty('facilitator', config('facilitator'), services),
    loadParty('model-owner', config('model-owner'), services),
    loadParty('data-owner', { ...config('north'), port: 0, facilitator: 'http://127.0.0.1:7' }, services),
  ]);
  for (const { parties } of [facilitator, modelOwner, owner])
    assert.deepEqual(
      parties().all.map(({ name }) => name),
      ['facilitator', 'model-owner', 'north', 'south'],
    );
  assert.deepEqual(facilitator.facilitator, { name: 'facilitator', url: 'http://127.0.0.1:8080' });
  assert.deepEqual(modelOwner.facilitator, { name: 'facilitator', url: 'http://127.0.0.1:8080' });
  assert.deepEqual(owner.facilitator, { name: 'facilitator', url: 'http://127.0.0.1:7' });
  assert.equal(owner.store, folder.at('north', 'state.sqlite'));
  assert.equal(owner.config.listen.port, 0);
  const signed = signObject(owner.identity, 'answer', { of: 'north' });
  verifyObject(facilitator.parties(), { name: north, role: 'data-owner' }, 'answer', { of: 'north' }, signed);
  assert.equal(
    new Set([facilitator, modelOwner, owner].map(({ storageKey }) => Buffer.from(storageKey).toString('hex'))).size,
    3,
  );
  assert.deepEqual(services.lines, []);
});

test('who is not on the roster, or with another key or role, does not start', async ({ folder }) => {
  const services = testServices();
  const start = (role: Role, party: string, options = {}): Promise<unknown> =>
    loadParty(role, { config: folder.at(party, 'config.toml'), data: 'data.csv', ...options }, services);
  const path = rosterOf(folder);
  const roster = await readRoster(path);
  const without = createRoster(roster.parties.filter(({ name }) => name !== north));
  const south = roster.parties.find(({ name }) => name === 'south');
  await writeRoster(path, without, { replace: true });
  await assert.rejects(start('data-owner', 'north'), {
    code: 'party_unknown',
    message: /roster\.toml does not name north/,
  });
  const impostor = { ...(south ?? assert.fail()), name: north };
  await writeRoster(
    path,
    createRoster([...without.parties.filter((each) => each !== south && each.name !== 'south'), impostor]),
    { replace: true },
  );
  await assert.rejects(start('data-owner', 'north'), {
    code: 'identity_invalid',
    message: /names another key of north/,
  });
  await writeRoster(
    path,
    createRoster(roster.parties.map((each) => (each.name === north ? { ...each, role: 'model-owner' } : each))),
    { replace: true },
  );
  await assert.rejects(start('data-owner', 'north'), { code: 'role_forbidden' });
  await writeRoster(path, roster, { replace: true });
  await assert.rejects(start('facilitator', 'north'), { code: 'config_invalid', message: /role is data-owner/ });
  await assert.rejects(start('data-owner', 'north', { name: 'south' }), {
    code: 'identity_invalid',
    message: /this is the identity of data-owner north, not the identity of data-owner south/,
  });
  await assert.rejects(start('data-owner', 'nobody'), {
    code: 'config_invalid',
    message: /nobody\/config\.toml cannot be read/,
  });
  const own = folder.at('north', 'config.toml');
  const plain = await readFile(own, 'utf8');
  for (const [named, code, message] of [
    ['clinic', 'party_unknown', /^policy\.model_owners: \S+roster\.toml does not name clinic$/],
    ['south', 'role_forbidden', /^policy\.model_owners: \S+roster\.toml says that south is a data-owner$/],
  ] as const) {
    await writeFile(own, `${plain}\n[policy]\nmodel_owners = ["model-owner", "${named}"]\n`);
    await assert.rejects(start('data-owner', 'north'), { code, message, field: 'policy.model_owners' });
  }
  await writeFile(own, plain);
  const asking = (owners: string): ReturnType<typeof start> => start('model-owner', 'model-owner', { owners });
  await assert.rejects(asking('north,west'), {
    code: 'party_unknown',
    field: 'owners',
    message: /^owners: \S+roster\.toml does not name west$/,
  });
  await assert.rejects(asking('north,facilitator'), {
    code: 'role_forbidden',
    field: 'owners',
    message: /^owners: \S+roster\.toml says that facilitator is a facilitator$/,
  });
});

test('the passphrase comes from its file, or the environment, or a person; without any it says so', async ({
  folder,
}) => {
  const config = folder.at('south', 'asked.toml');
  const text = await readFile(folder.at('south', 'config.toml'), 'utf8');
  await writeFile(config, text.replace(/^passphrase_file.*$/m, ''));
  const passphrase = (await readFile(folder.at('south', 'passphrase'), 'utf8')).trim();
  const load = (more: Parameters<typeof testServices>[0]): ReturnType<typeof loadParty> =>
    loadParty('data-owner', { config }, testServices(more));
  assert.equal((await load({ env: { SEALSUM_PASSPHRASE: passphrase } })).identity.name, 'south');
  const person = somebody([passphrase]);
  assert.equal((await load({ terminal: person })).identity.name, 'south');
  assert.deepEqual(person.asked, ['Passphrase of the identity of south: ']);
  await assert.rejects(load({}), {
    code: 'config_invalid',
    message: /name a passphrase_file, set SEALSUM_PASSPHRASE, or/,
  });
  await assert.rejects(load({ env: { SEALSUM_PASSPHRASE: '' } }), {
    code: 'identity_invalid',
    message: 'SEALSUM_PASSPHRASE is empty',
  });
  await assert.rejects(load({ terminal: somebody([`${passphrase}x`]) }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'passphrase_wrong');
    assert.ok(!String(error.stack).includes(passphrase));
    return true;
  });
  // A file goes before the environment, and only the newline at its end is none of the passphrase.
  await chmod(folder.at('south', 'passphrase'), 0o640);
  await assert.rejects(
    loadParty(
      'data-owner',
      { config: folder.at('south', 'config.toml') },
      testServices({ env: { SEALSUM_PASSPHRASE: passphrase } }),
    ),
    {
      code: 'identity_invalid',
      field: 'passphrase_file',
    },
  );
  await chmod(folder.at('south', 'passphrase'), 0o600);
});

test('a rotation: the old key until the roster names the new one, the same storage key, and old signatures stay', async ({
  folder,
}) => {
  const path = rosterOf(folder);
  const own = folder.at('north', 'config.toml');
  const services = testServices();
  const before = await loadParty('data-owner', { config: own }, services);
  const receipt = signObject(before.identity, 'receipt', { round: 1 });
  const passphrase = (await readFile(folder.at('north', 'passphrase'), 'utf8')).trim();
  const config = await readAnyConfig(own);
  const roster = await readRoster(path);
  const rotate = (): ReturnType<typeof rotateIdentity> =>
    rotateIdentity(config, roster, passphrase, { random: systemRandom, now: 0 });
  const { succession, repeated } = await rotate();
  assert.equal(repeated, false);
  const waiting = await loadParty('data-owner', { config: own }, services);
  assert.equal(waiting.identity.publicKey, before.identity.publicKey);
  assert.equal(services.lines.length, 1);
  assert.match(services.lines[0] ?? '', /the roster does not name the new identity yet/);
  // A rotation that is not admitted is not lost to another: it says the same again.
  const again = await rotate();
  assert.deepEqual([again.repeated, again.succession], [true, succession]);

  const after = admitSuccession(roster, openSuccession(JSON.parse(JSON.stringify(succession)), roster));
  assert.equal(admitSuccession(after, openSuccession(succession, after)), after);
  await writeRoster(path, after, { replace: true });
  const { identity, storageKey, parties } = await loadParty('data-owner', { config: own }, services);
  assert.equal(identity.publicKey, succession.successor.to);
  assert.deepEqual(storageKey, before.storageKey);
  const member = { name: north, role: 'data-owner' } as const;
  verifyObject(parties(), member, 'receipt', { round: 1 }, receipt);
  services.clock.advance(1000);
  assert.equal(before.parties().byKey(before.identity.fingerprint), undefined);
  assert.equal(before.parties().byKey(identity.fingerprint)?.name, north);

  await changePassphrase(config, passphrase, 'another', systemRandom);
  assert.equal(await readFile(folder.at('north', 'passphrase'), 'utf8'), 'another\n');
  assert.equal((await loadParty('data-owner', { config: own }, services)).identity.publicKey, identity.publicKey);
  await assert.rejects(changePassphrase(config, passphrase, 'x', systemRandom), { code: 'passphrase_wrong' });
});

test('certificates, keys and tokens are read and checked before anybody connects', async ({ folder }) => {
  const run = promisify(execFile);
  const make = async (name: string): Promise<void> => {
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
    const keys = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      folder.at(`${name}.key`),
    ];
    await run('openssl', ['req', '-x509', ...keys, ...subject, '-out', folder.at(`${name}.pem`)]);
    await chmod(folder.at(`${name}.key`), 0o600);
  };
  await Promise.all([make('server'), make('client')]);
  const token = 'a'.repeat(64);
  await writeFile(folder.at('token'), `${token}\n`, { mode: 0o600 });
  const own = folder.at('south', 'tls.toml');
  await copyFile(folder.at('south', 'config.toml'), own);
  await writeFile(own, `access_token_file = "../token"\n${await readFile(own, 'utf8')}`);
  await appendFile(
    own,
    `[tls]\ncertificate = "../server.pem"\nkey = "../server.key"\nclient_ca = "../client.pem"
[facilitator]\nurl = "https://127.0.0.1:1"\nca = "../server.pem"\ncertificate = "../client.pem"\nkey = "../client.key"\n`,
  );
  const services = testServices();
  const load = (host = '0.0.0.0'): ReturnType<typeof loadParty> =>
    loadParty('data-owner', { config: own, host }, services);
  const text = (name: string): Promise<string> => readFile(folder.at(name), 'utf8');
  const { tls, facilitator, accessToken } = await load();
  assert.deepEqual(tls, {
    cert: await text('server.pem'),
    key: await text('server.key'),
    clientCa: await text('client.pem'),
  });
  assert.deepEqual(facilitator, {
    name: 'facilitator',
    url: 'https://127.0.0.1:1',
    tls: { ca: await text('server.pem'), cert: await text('client.pem'), key: await text('client.key') },
  });
  assert.equal(accessToken, token);

  const whole = await readFile(own, 'utf8');
  const refused = async (from: string, to: string, code: string, message: RegExp): Promise<void> => {
    assert.ok(whole.includes(from));
    await writeFile(own, whole.replace(from, to));
    await assert.rejects(load(), (error: { code?: string; message?: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message ?? '', message);
      return true;
    });
  };
  await refused(
    'key = "../server.key"',
    'key = "../client.key"',
    'config_invalid',
    /client\.key is not the key of .*server\.pem/,
  );
  await refused(
    'key = "../server.key"',
    'key = "../server.pem"',
    'identity_invalid',
    /server\.pem can be read by others; chmod 600/,
  );
  await refused(
    'certificate = "../server.pem"',
    'certificate = "../token"',
    'config_invalid',
    /token holds no certificate/,
  );
  await refused(
    'client_ca = "../client.pem"',
    'client_ca = "../none.pem"',
    'config_invalid',
    /none\.pem cannot be read/,
  );
  await refused('token"', 'server.key"', 'config_invalid', /expected 32 or more letters and digits/);
  await refused(
    'store = "state.sqlite"',
    'store = "postgres://u:hunter2@db/s"',
    'config_invalid',
    /holds the store's password: chmod 600/,
  );
  await refused(
    '"https://127.0.0.1:1"\nca = "../server.pem"\ncertificate = "../client.pem"\nkey = "../client.key"',
    '"http://10.0.0.1"',
    'config_invalid',
    /facilitator\.allow_plaintext = true/,
  );
  await writeFile(own, whole);
  services.clock.advance(3 * 24 * 3600 * 1000);
  await assert.rejects(load(), { code: 'config_invalid', message: /server\.pem is valid from .*, which is not now/ });
});

test('where there are several facilitators, one is chosen by name', async ({ folder }) => {
  const services = testServices();
  const path = rosterOf(folder);
  const roster = await readRoster(path);
  const second = {
    ...(roster.parties.find(({ name }) => name === 'south') ?? assert.fail()),
    role: 'facilitator',
    url: 'http://127.0.0.1:2',
  } as const;
  const config = folder.at('model-owner', 'config.toml');
  await writeRoster(path, createRoster([...roster.parties.filter(({ name }) => name !== 'south'), second]), {
    replace: true,
  });
  await assert.rejects(loadParty('model-owner', { config }, services), {
    code: 'config_invalid',
    message: /facilitator\.name is missing: the roster names facilitator, south/,
  });
  await appendFile(config, '\n[facilitator]\nname = "south"\n');
  const { facilitator } = await loadParty('model-owner', { config }, services);
  const others = { facilitator: 'http://127.0.0.1:8080' };
  assert.deepEqual(facilitator, { name: 'south', url: 'http://127.0.0.1:2', others });
  await writeRoster(path, roster, { replace: true });
  await assert.rejects(loadParty('model-owner', { config }, services), {
    code: 'config_invalid',
    message: /facilitator\.name is none of the roster's: it names facilitator/,
  });
});

test.run();
