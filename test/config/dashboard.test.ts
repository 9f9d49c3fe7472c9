/** A dashboard from a configuration: the file of its sessions, and what is announced. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import { createConfig } from '../../src/config/config-file.ts';
import { openDashboard } from '../../src/config/dashboard.ts';
import { parseToml } from '../../src/config/toml-file.ts';
import { silentLog } from '../../src/http/event-log.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { Folder } from '../end-to-end/folder.ts';

const test = suite('a dashboard from its configuration');

const url = 'http://127.0.0.1:8080';

function open(folder: Folder, more = '', log = silentLog) {
  const file = join(folder.path, 'config.toml');
  const config = createConfig('facilitator', parseToml(`name = "sums"\nrole = "facilitator"\n${more}`, file), file);
  return openDashboard(config, { clock: systemClock, random: systemRandom, log, authorities: () => [] });
}

test('its sessions are signed with what a private file keeps, and nobody is signed in without it', async () => {
  await using folder = await Folder.create();
  const file = join(folder.path, 'state.sessions.json');
  const first = await open(folder);
  const [, token = ''] =
    /^Dashboard: http:\/\/127\.0\.0\.1:8080\/ui\/#login=([\w-]{43})$/.exec(first.announcement(url) ?? '') ?? [];
  const { cookie, session } = first.dashboard?.sessions.redeem(token) ?? {};
  assert.ok(session !== undefined);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.doesNotMatch(await readFile(file, 'utf8'), new RegExp(token));
  const second = await open(folder);
  assert.deepEqual(second.dashboard?.sessions.read(cookie), session);
  await second.dashboard.sessions.end(session);
  assert.equal((await open(folder)).dashboard?.sessions.read(cookie), undefined);
  await rm(file);
  assert.equal((await open(folder)).dashboard?.sessions.read(cookie), undefined);
});

test('a file that others may read, or that holds something else, is refused with the mend', async () => {
  await using folder = await Folder.create();
  const file = join(folder.path, 'state.sessions.json');
  await open(folder);
  await chmod(file, 0o644);
  await assert.rejects(open(folder), { code: 'identity_invalid', field: 'dashboard.sessions', message: /chmod 600/ });
  await chmod(file, 0o600);
  for (const text of ['', '{}', '{"format":"sealsum dashboard sessions","version":1,"secret":"short","ended":{}}']) {
    await writeFile(file, text);
    await assert.rejects(open(folder), { code: 'identity_invalid', message: /delete it/ });
  }
});

test('where nothing can be written, sessions end with the process, and the log says so', async () => {
  await using folder = await Folder.create();
  // Not even root writes under a file.
  await writeFile(join(folder.path, 'file'), '');
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const { dashboard } = await open(folder, '[dashboard]\nsessions = "file/sessions.json"', log);
  assert.ok(dashboard !== undefined);
  assert.match(warnings.join(), /^the sessions of sums's dashboard cannot be kept/);
});

test('the link is for the address by which others know the party, and there is none where it is off', async () => {
  await using folder = await Folder.create();
  await mkdir(join(folder.path, 'tls'));
  const proxied =
    '[listen]\nhost = "0.0.0.0"\nallow_plaintext = true\npublic_urls = ["http://a.example", "https://b.example"]';
  const { announcement, dashboard } = await open(folder, proxied);
  assert.equal(dashboard?.secure, true);
  assert.match(announcement(url) ?? '', /^Dashboard: https:\/\/b\.example\/ui\/#login=/);
  assert.notEqual(announcement(url), announcement(url));
  const off = await open(folder, '[dashboard]\nenabled = false');
  assert.deepEqual([off.dashboard, off.announcement(url)], [undefined, undefined]);
  const refused = await open(folder, '[listen]\nhost = "0.0.0.0"\nallow_plaintext = true');
  assert.equal(refused.dashboard, undefined);
  assert.match(refused.announcement(url) ?? '', /^Dashboard: off, since whoever signs in at 0\.0\.0\.0/);
});

test.run();
