import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { suite } from 'uvu';
import { loadParty } from '../../src/config/load.ts';
import { readRoster } from '../../src/config/roster-file.ts';
import { testFolder } from '../config/folder.ts';
import { somebody, testServices } from '../config/silent.ts';
import { machine, spokenOf, viewOf } from './machine.ts';

const test = suite('sealsum invite, join, admit, rotate');

test('a project of several machines: invitations, answers, admission, rotation, and each roster the same', async () => {
  await using folder = await testFolder();
  const { run, clock, secret, assertDiscreet } = machine();
  const hub = folder.at('hub');
  const url = 'https://sums.example.org:8443';
  const env = { SEALSUM_PASSPHRASE: 'the words of the facilitator' };
  secret(env.SEALSUM_PASSPHRASE);
  const invited = ['--invite', 'north', '--invite', 'research:model-owner'];
  const made = await viewOf(
    run(['init', hub, '--party', 'facilitator', '--name', 'sums', '--url', `${url}/`, ...invited, '--json'], { env }),
  );
  assert.deepEqual(
    made.parties.map(({ name }) => name),
    ['sums'],
  );
  assert.deepEqual(
    made.invitations?.map(({ name, role }) => [name, role]),
    [
      ['north', 'data-owner'],
      ['research', 'model-owner'],
    ],
  );
  assert.deepEqual(await readdir(folder.at('hub', 'sums')), ['config.toml', 'identity.json']);

  // On the machine of north, with a person at the terminal.
  const site = folder.at('site');
  await mkdir(site);
  await copyFile(made.invitations[0]?.file ?? '', folder.at('site', 'invitation.json'));
  const person = somebody(['the words of north', 'the words of north']);
  secret('the words of north');
  const joined = await run(['join', folder.at('site', 'invitation.json'), site, '--data', '../records.csv'], {
    terminal: person,
  });
  assert.deepEqual(person.asked, ['New passphrase for the identity of north: ', 'The same again: ']);
  assert.ok(joined.includes(spokenOf(made, 'sums')), 'the fingerprint of the facilitator, to compare');
  const own = await viewOf(run(['fingerprints', folder.at('site', 'roster.toml'), '--json']));
  assert.deepEqual(
    own.parties.map(({ name }) => name),
    ['sums', 'north'],
  );
  const read = spokenOf(own, 'north');
  assert.ok(joined.includes(read));
  await assert.rejects(run(['join', folder.at('site', 'invitation.json'), site], { env }), {
    message: /is there already/,
  });

  // Back at the facilitator's: nobody is admitted whose fingerprint was not compared.
  const answer = folder.at('site', 'north.join.json');
  const admit = ['admit', answer, '--project', hub];
  await assert.rejects(run(admit), { code: 'identity_invalid', message: /nobody is there to compare/ });
  await assert.rejects(run([...admit, '--fingerprint', spokenOf(made, 'sums')]), { code: 'identity_invalid' });
  const hesitant = somebody(['no']);
  await assert.rejects(run(admit, { terminal: hesitant }), {
    code: 'identity_invalid',
    message: 'north was not admitted',
  });
  assert.ok(hesitant.asked.join('').includes(read));
  assert.equal((await readRoster(made.roster)).parties.length, 1);
  const forged = (await readFile(answer, 'utf8')).replace('"data-owner"', '"model-owner"');
  await writeFile(folder.at('forged.json'), forged);
  await assert.rejects(run(['admit', folder.at('forged.json'), '--project', hub]), { message: /^.*forged\.json: / });
  assert.match(await run(admit, { terminal: somebody(['yes']) }), /^north is on the roster as a data-owner\. Copy/);
  assert.match(await run(admit), /with this key already/);
  await copyFile(made.roster, folder.at('site', 'roster.toml'));

  const config = folder.at('site', 'north', 'config.toml');
  const words = { ...testServices({ env: { SEALSUM_PASSPHRASE: 'the words of north' } }), clock };
  const before = await loadParty('data-owner', { config }, words);
  assert.equal(before.config.data, folder.at('site', 'records.csv'));
  assert.deepEqual(before.facilitator, { name: 'sums', url });

  // A party on the facilitator's own machine uses the roster that is there.
  const second = await run(['join', made.invitations[1]?.file ?? '', hub, '--local']);
  assert.match(second, /^ {2}sealsum model-owner --config /m);
  assert.equal((await readRoster(made.roster)).parties.length, 2);
  const name = 'research.join.json';
  assert.match(
    await run(['admit', folder.at('hub', name), '--project', hub], { terminal: somebody(['YES ']) }),
    /research is on/,
  );
  secret((await readFile(folder.at('hub', 'research', 'passphrase'), 'utf8')).trim());

  // Invitations end; another one can be sent.
  const late = ['invite', 'west', '--config', folder.at('hub', 'sums', 'config.toml')];
  assert.match(
    await run([...late, '--valid-days', '1'], { env }),
    /west\.invitation\.json invites west, data-owner, until/,
  );
  clock.advance(25 * 3600 * 1000);
  const stale = ['join', folder.at('hub', 'invitations', 'west.invitation.json'), folder.at('west'), '--local'];
  await assert.rejects(run(stale), { code: 'signature_expired' });
  await assert.rejects(run(['invite', 'north', ...late.slice(2)], { env }), {
    message: 'north is on the roster already',
  });

  // A new identity for north.
  const steps = await run(['rotate', '--config', config], { env: { SEALSUM_PASSPHRASE: 'the words of north' } });
  assert.match(steps, /until the|Until then north goes on with .*identity\.old\.json/);
  const statement = folder.at('site', 'north', 'north.successor.json');
  const spoken = /^ {2}(([A-Z2-7]{4} ?){13})$/m.exec(steps)?.[1] ?? assert.fail('no fingerprint');
  await copyFile(statement, folder.at('moved.json'));
  const moved = ['admit', folder.at('moved.json'), '--project', hub];
  assert.match(await run([...moved, '--fingerprint', spoken]), /^north has a new key on the roster/);
  assert.match(await run(moved), /with this key already/);
  await copyFile(made.roster, folder.at('site', 'roster.toml'));
  const after = await loadParty('data-owner', { config }, words);
  assert.notEqual(after.identity.fingerprint, before.identity.fingerprint);
  assert.deepEqual(
    after
      .parties()
      .keysOf(before.config.name)
      .map(({ fingerprint }) => fingerprint),
    [after.identity.fingerprint, before.identity.fingerprint],
  );
  assert.deepEqual(after.storageKey, before.storageKey);
  assert.equal(await run(['fingerprints', folder.at('site', 'roster.toml')]), await run(['fingerprints', made.roster]));
  assertDiscreet();
});

test('a second facilitator joins like everybody else, with the address that others reach it by', async () => {
  await using folder = await testFolder();
  const { run, clock } = machine();
  const hub = folder.at('hub');
  const env = { SEALSUM_PASSPHRASE: 'the words of everybody' };
  const url = 'https://sums.example.org:8443';
  const invited = ['--invite', 'leaf:facilitator', '--invite', 'north'];
  const made = await viewOf(
    run(['init', hub, '--party', 'facilitator', '--name', 'sums', '--url', url, ...invited, '--json'], { env }),
  );
  const files = made.invitations?.map(({ file }) => file) ?? [];
  for (const [index, name] of ['leaf', 'north'].entries())
    await run(['join', files[index] ?? '', folder.at(name)], { env });
  const admit = async (name: string, ...more: string[]): Promise<string> => {
    const own = await viewOf(run(['fingerprints', folder.at(name, 'roster.toml'), '--json']));
    const fingerprint = spokenOf(own, name);
    return await run([
      'admit',
      folder.at(name, `${name}.join.json`),
      '--project',
      hub,
      '--fingerprint',
      fingerprint,
      ...more,
    ]);
  };
  await assert.rejects(admit('leaf'), { message: /leaf is a facilitator: say with --url where/ });
  await assert.rejects(admit('leaf', '--url', 'ftp://leaf'), { message: /expected a URL/ });
  await assert.rejects(admit('north', '--url', 'https://north.example.org'), { message: /north is none/ });
  assert.equal((await readRoster(made.roster)).parties.length, 1);
  await admit('leaf', '--url', 'https://leaf.example.org:8443/');
  await admit('north');
  const { parties } = await readRoster(made.roster);
  assert.deepEqual(
    parties.map(({ name, role, url: where }) => [name, role, where]),
    [
      ['leaf', 'facilitator', 'https://leaf.example.org:8443'],
      ['sums', 'facilitator', url],
      ['north', 'data-owner', undefined],
    ],
  );
  await copyFile(made.roster, folder.at('leaf', 'roster.toml'));
  const services = { ...testServices({ env }), clock };
  const { config } = await loadParty('facilitator', { config: folder.at('leaf', 'leaf', 'config.toml') }, services);
  assert.deepEqual([config.name, config.role], ['leaf', 'facilitator']);
});

test.run();
