import assert from 'node:assert/strict';
import { chmod, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import {
  createRoster,
  parseRoster,
  partiesOf,
  type Roster,
  type RosterEntry,
  readRoster,
  rosterDigest,
  writeRoster,
} from '../../src/config/roster-file.ts';
import { isFingerprint, spoken, spokenFingerprint } from '../../src/config/spoken.ts';
import { watchRoster } from '../../src/config/watch-roster.ts';
import { createLog } from '../../src/http/log.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, createParty, type Role } from '../../src/protocol/identity.ts';
import { createTestClock } from '../support/clock.ts';
import { testFolder } from './folder.ts';

const test = suite('the roster file');

const newKey = (): string => createIdentity(partyIdSchema.parse('x'), 'facilitator', systemRandom(32)).publicKey;
const entry = (name: string, role: Role, more: Partial<RosterEntry> = {}): RosterEntry => ({
  name: partyIdSchema.parse(name),
  role,
  key: newKey(),
  previous: [],
  ...more,
});

const sums = entry('sums', 'facilitator', { url: 'https://sums.example.org:8443' });
const research = entry('research', 'model-owner');
const north = entry('north', 'data-owner', { previous: [newKey(), newKey()] });
const owners = ['owner-10', 'owner-9', 'owner-1'].map((name) => entry(name, 'data-owner'));
const roster = createRoster([...owners, north, research, sums]);

function refused(text: string, code: string, message: RegExp): void {
  assert.throws(
    () => parseRoster(text, 'roster.toml'),
    (error: { code?: string; message?: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message ?? '', message);
      assert.match(error.message ?? '', /^roster\.toml/);
      return true;
    },
  );
}

test('what is written is read again, in one order, and is public', async () => {
  await using folder = await testFolder();
  const path = folder.at('roster.toml');
  await writeRoster(path, roster, { replace: false });
  assert.deepEqual(await readRoster(path), roster);
  assert.deepEqual(
    roster.parties.map(({ name }) => name),
    ['sums', 'research', 'north', 'owner-1', 'owner-9', 'owner-10'],
  );
  const text = await readFile(path, 'utf8');
  assert.match(text, /^# Everybody who belongs/);
  await writeRoster(path, await readRoster(path), { replace: true });
  assert.equal(await readFile(path, 'utf8'), text);
  await assert.rejects(writeRoster(path, roster, { replace: false }), { code: 'config_invalid' });
  await chmod(path, 0o640);
  await writeRoster(path, roster, { replace: true });
  assert.equal((await stat(path)).mode & 0o777, 0o640);
});

test('its parties are found by their present keys, and verify with all of them', () => {
  const parties = partiesOf(roster);
  assert.equal(parties.all.length, 6);
  assert.deepEqual(
    parties.keysOf(north.name).map(({ publicKey }) => publicKey),
    [north.key, ...north.previous],
  );
  const before = createParty(north.name, 'data-owner', north.previous[0] ?? '');
  assert.equal(parties.byKey(before.fingerprint), undefined);
});

test('the digest is of what it says, not of how it is written', () => {
  const shuffled: Roster = { parties: [...roster.parties].reverse() };
  assert.equal(rosterDigest(shuffled), rosterDigest(roster));
  assert.match(rosterDigest(roster), /^[0-9a-f]{64}$/);
  const changes: readonly Partial<RosterEntry>[] = [
    { key: newKey() },
    { role: 'model-owner' },
    { previous: [newKey()] },
  ];
  for (const change of changes) {
    const parties = roster.parties.map((each) => (each.name === 'owner-9' ? { ...each, ...change } : each));
    assert.notEqual(rosterDigest({ parties }), rosterDigest(roster));
  }
  const moved = roster.parties.map((each) => (each === sums ? { ...each, url: 'https://other.example.org' } : each));
  assert.notEqual(rosterDigest({ parties: moved }), rosterDigest(roster));
});

test('what does not belong in a roster is refused with the file and the field', () => {
  const party = (text: string): string => `[[party]]\nname = "a"\nrole = "data-owner"\nkey = "${north.key}"\n${text}\n`;
  for (const empty of ['', 'party = []'])
    refused(empty, 'config_invalid', /: party: nobody is named; get the present roster\.toml$/);
  refused('party = 1', 'config_invalid', /: party: expected array, received number$/);
  refused(party('keys = []'), 'config_invalid', /: party 1\.keys is not a known field; did you mean party 1\.key\?/);
  refused(party('urls = ""'), 'config_invalid', /did you mean party 1\.url\?/);
  refused(`${party('')}[[party]]\nname = "b"`, 'config_invalid', /: party 2\.role: expected one of/);
  refused(party('url = "https://a"'), 'config_invalid', /a is a data-owner: only a facilitator has a url/);
  refused(party('').replace('"a"', '"-"'), 'config_invalid', /party 1\.name: expected 1 to 63/);
  refused(party('').replace(north.key, 'abc'), 'identity_invalid', /the key of a: expected 32 bytes/);
  refused(party('previous = ["abc"]'), 'identity_invalid', /the key of a: expected 32 bytes/);
  refused(`${party('')}${party('')}`, 'identity_invalid', /a is named twice/);
  refused(`${party('')}${party('').replace('"a"', '"b"')}`, 'identity_invalid', /the key of b is named twice/);
  refused(party(`previous = ["${north.key}"]`), 'identity_invalid', /the key of a is named twice/);
  refused('party = 1\n\n]', 'config_invalid', /line 3/);
});

test('a roster that changes is read again, at most once a second; a bad one is told once and the last good one stays', async () => {
  await using folder = await testFolder();
  const path = folder.at('roster.toml');
  const clock = createTestClock();
  const lines: string[] = [];
  const log = createLog('north', 'info', { write: (line) => void lines.push(line) });
  await writeRoster(path, createRoster([sums, north]), { replace: false });
  const watched = watchRoster(path, { clock, log });
  const first = watched.parties();
  assert.equal(first.all.length, 2);
  clock.advance(1000);
  assert.equal(watched.parties(), first, 'nothing changed');

  await writeRoster(path, roster, { replace: true });
  assert.equal(watched.parties(), first, 'not a second has passed');
  clock.advance(1000);
  assert.equal(watched.parties().all.length, 6);
  assert.equal(watched.current().parties.length, 6);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', new RegExp(rosterDigest(roster)));

  await writeFile(path, 'nonsense');
  for (const told of [2, 2, 2]) {
    clock.advance(1000);
    assert.equal(watched.parties().all.length, 6);
    assert.equal(lines.length, told);
  }
  assert.match(lines[1] ?? '', /"level":"warn".*roster\.toml, line 1/);
  await rm(path);
  clock.advance(1000);
  assert.equal(watched.parties().all.length, 6);
  assert.match(lines[2] ?? '', /cannot be read: there is no such file/);

  await writeRoster(path, createRoster([sums]), { replace: false });
  clock.advance(1000);
  assert.equal(watched.parties().all.length, 1);
  // Other content of the same length, with the times set back.
  await utimes(path, 1, 1);
  clock.advance(1000);
  assert.equal(watched.parties().all[0]?.publicKey, sums.key);
  await writeFile(path, (await readFile(path, 'utf8')).replace(sums.key, newKey()));
  await utimes(path, 1, 1);
  clock.advance(1000);
  assert.notEqual(watched.parties().all[0]?.publicKey, sums.key);
  assert.throws(() => watchRoster(folder.at('none.toml'), { clock, log }), { code: 'config_invalid' });
});

test('digests are spoken as base32 of RFC 4648 in groups of four, and understood in any', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  // Section 10, without padding.
  assert.deepEqual(
    ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => spoken(bytes(text)).replaceAll(' ', '')),
    ['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'],
  );
  assert.equal(spoken(bytes('foobar')), 'MZXW 6YTB OI');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const { fingerprint } = createIdentity(north.name, 'data-owner', seed);
      const said = spokenFingerprint(fingerprint);
      assert.match(said, /^([A-Z2-7]{4} ){12}[A-Z2-7]{4}$/);
      for (const text of [said, said.toLowerCase(), said.replaceAll(' ', ''), said.replaceAll(' ', '-'), fingerprint])
        assert.ok(isFingerprint(` ${text} `, fingerprint));
      assert.ok(!isFingerprint(said.slice(0, -1), fingerprint));
      assert.ok(!isFingerprint('', fingerprint));
      const other = `${said.startsWith('A') ? 'B' : 'A'}${said.slice(1)}`;
      assert.ok(!isFingerprint(other, fingerprint));
    }),
    { numRuns: 50 },
  );
});

test.run();
