/** The files of the example for three machines: every one is parsed as its party would, and they fit together. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { createConfig } from '../../src/config/config-file.ts';
import type { PartyConfig } from '../../src/config/party-config.ts';
import { parseRoster, partiesOf } from '../../src/config/roster-file.ts';
import { parseToml } from '../../src/config/toml-file.ts';
import { parseModel } from '../../src/learning/model.ts';
import { type Role, roles } from '../../src/protocol/identity.ts';

const folder = fileURLToPath(new URL('../../examples/three-hosts/', import.meta.url));
const textOf = (file: string): string => readFileSync(folder + file, 'utf8');

const parties: Readonly<Record<string, Role>> = {
  sums: 'facilitator',
  research: 'model-owner',
  north: 'data-owner',
  south: 'data-owner',
  west: 'data-owner',
};

/** The configuration of a party, as it is where it is installed; `edit` changes its text first. */
function configOf(name: string, edit: (text: string) => string = (text) => text): PartyConfig {
  const file = `/etc/sealsum/${name}/config.toml`;
  const tables = parseToml(edit(textOf(`${name}/config.toml`)), file);
  const role = roles.find((each) => each === tables.role);
  assert.ok(role !== undefined && role === parties[name]);
  return createConfig(role, tables, file);
}

const test = suite('three hosts: configurations');

test('every configuration is accepted, and says where everything is', () => {
  for (const [name, role] of Object.entries(parties)) {
    const config = configOf(name);
    assert.deepEqual([config.name, config.role], [name, role]);
    assert.equal(config.identity, `/etc/sealsum/${name}/identity.json`);
    assert.equal(config.roster, '/etc/sealsum/roster.toml');
    assert.equal(config.store, `/var/lib/sealsum/${name}.sqlite`);
    // As scripts/systemd/sealsum-ROLE@.service hands it over.
    assert.equal(config.passphraseFile, `/run/credentials/sealsum-${role}@${name}.service/passphrase`);
    if (config.role === 'facilitator') assert.equal(config.tls?.clientCa, '/etc/sealsum/sums/tls/authority.pem');
    else {
      assert.equal(config.facilitator.ca, `/etc/sealsum/${name}/tls/authority.pem`);
      assert.equal(config.facilitator.certificate, `/etc/sealsum/${name}/tls/certificate.pem`);
    }
    if (config.role === 'data-owner') {
      assert.equal(config.data, `/srv/sealsum/${name}.csv`);
      // The unit lets it write nowhere but below /var/lib/sealsum.
      assert.equal(config.datasets, `/var/lib/sealsum/${name}-datasets`);
    }
    if (config.role === 'model-owner') assert.deepEqual(config.owners, ['north', 'south', 'west']);
  }
});

test('the roster is accepted, names these parties, and says of the facilitator what it says of itself', () => {
  const roster = parseRoster(textOf('roster.toml'), 'roster.toml');
  const known = partiesOf(roster);
  assert.deepEqual(Object.fromEntries(known.all.map(({ name, role }) => [name, role])), parties);
  const sums = roster.parties.find(({ name }) => name === 'sums');
  assert.deepEqual(configOf('sums').listen.publicUrls, [sums?.url]);
});

test('the training is the linear example, with a quorum of all three', () => {
  const { participation, ...training } = JSON.parse(textOf('training.json')) as Record<string, unknown>;
  assert.deepEqual(training, JSON.parse(textOf('../linear/model.json')));
  assert.deepEqual(participation, { quorum: 3 });
  assert.equal(parseModel({ ...training, participation }).participation.quorum, 3);
});

test('a field that is not known is refused by its name in every one of them, with what may have been meant', () => {
  const refused = (field: string, mend: RegExp): { code: string; field: string; message: RegExp } => ({
    code: 'config_invalid',
    field,
    message: mend,
  });
  for (const name of Object.keys(parties)) {
    assert.throws(
      () => configOf(name, (text) => text.replace(/^store = /m, 'storage = ')),
      refused('storage', /config\.toml: storage is not a known field; .*store/),
    );
    assert.throws(
      () => configOf(name, (text) => text.replace(/^port = /m, 'prot = ')),
      refused('listen.prot', /did you mean listen\.port\?/),
    );
    assert.throws(
      () => configOf(name, (text) => `${text}\n[quota]\nevents = 5\n`),
      refused('quota', /quota is not a known field/),
    );
  }
  assert.throws(
    () => parseRoster(textOf('roster.toml').replace(/^key = /m, 'keys = "none"\n$&'), 'roster.toml'),
    refused('party 1.keys', /did you mean party 1\.key\?/),
  );
});

test('what keeps strangers out cannot be left out', () => {
  const without = (line: RegExp) => (text: string) => text.replace(line, '');
  const tables = /^\[tls\]\n(.+\n)+/m;
  assert.throws(() => configOf('sums', without(tables)), { field: 'tls' });
  assert.throws(() => configOf('research', without(tables)), { field: 'tls' });
  assert.throws(() => configOf('research', without(/^access_token_file.*\n/m)), { field: 'access_token_file' });
  assert.throws(() => configOf('north', without(/^key = "tls.*\n/m)), { field: 'facilitator.key' });
});

test.run();
