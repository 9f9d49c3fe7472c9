/** The bundle of browsers by itself, loaded in Node: what it does there it does with a browser's means alone, on any machine. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import { bundleForBrowsers } from '../../scripts/browser-bundle.ts';
import * as client from '../../src/client.ts';
import { newSecrets } from '../../src/config/identity-file.ts';
import { Folder } from '../end-to-end/parties.ts';
import { setStage } from './stage.ts';

const test = suite('the bundle for browsers');

const folder = await Folder.create();
const file = join(folder.path, 'client.mjs');
await bundleForBrowsers('src/client.browser.ts', file);
// What browsers call the global object, and Node does not.
Object.assign(globalThis, { self: globalThis });
const bundled = (await import(pathToFileURL(file).href)) as typeof client;

test('it gives what Node has under the same name, and asks for nothing of Node', async () => {
  assert.deepEqual(Object.keys(bundled).sort(), Object.keys(client).sort());
  const text = await readFile(file, 'utf8');
  assert.ok(!/\bfrom *"|(?<![.\w])(require|eval)\(|\bBuffer\.|["']node:|new Function/.test(text), 'it stands alone');
  assert.ok(text.length < 500_000, `${text.length} bytes`);
});

test('a round of an owner by Node and one by the bundle', async () => {
  await using stage = await setStage({ owners: 2 });
  const [north] = stage.clients;
  const south = stage.cast.owners[1];
  assert.ok(north !== undefined && south !== undefined);
  const { partyIdSchema, createParty } = bundled;
  const parties = stage.cast.parties.all.map(({ name, role, publicKey }) =>
    createParty(partyIdSchema.parse(name), role, publicKey),
  );
  await using other = new bundled.Client({
    facilitator: stage.facilitator.url,
    identity: bundled.createIdentity(south.name, 'data-owner', south.seed),
    parties: bundled.createParties(parties),
    store: bundled.memoryClientStore(),
  });
  const job = await stage.job({ length: 100, bits: 32, bound: 8, rounds: 2 });
  await Promise.all([north.join(job), other.join(job)]);
  for (const number of [1, 2]) {
    const round = await job.startRound();
    const vector = Array.from({ length: 100 }, (_, index) => (index - 50) / 16 / number);
    assert.equal(await other.nextRound(job.id, { after: number - 1 }), number);
    await Promise.all([north.submit(job, round, vector), other.submit(job.id, number, vector)]);
    const { sum } = await round.collect();
    // Sixteenths and halves of them are whole at 2^31/8.
    assert.deepEqual(
      [...sum],
      vector.map((value) => 2 * value),
    );
    assert.equal((await other.inclusion(job.id, number)).included, true);
  }
  await assert.rejects(other.submit(job.id, 3, new Float64Array(100)), { name: 'SealsumError', code: 'round_unknown' });
});

test('certificates are not for pages to choose', async () => {
  await using stage = await setStage({ owners: 2 });
  const [, south] = stage.cast.owners;
  assert.ok(south !== undefined);
  const options = {
    facilitator: stage.facilitator.url,
    parties: stage.cast.parties,
    store: bundled.memoryClientStore(),
  };
  assert.throws(() => new bundled.Client({ ...options, identity: south, ca: 'a certificate' }), {
    code: 'config_invalid',
    field: 'ca',
  });
});

test('identities that Node sealed are opened, and the other way round; with no other passphrase', async () => {
  const name = client.partyIdSchema.parse('owner-1');
  const secrets = newSecrets(name, 'data-owner', client.systemRandom);
  for (const [seals, opens] of [
    [client, bundled],
    [bundled, client],
  ] as const) {
    const document: unknown = JSON.parse(JSON.stringify(await seals.sealSecrets(secrets, 'correct horse')));
    const { identity, storageKey } = await opens.openSecrets(document, name, 'data-owner', 'correct horse');
    assert.equal(identity.publicKey, secrets.identity.publicKey);
    assert.deepEqual(storageKey, secrets.storageKey);
    await assert.rejects(opens.openSecrets(document, name, 'data-owner', 'battery staple'), {
      code: 'passphrase_wrong',
    });
    await assert.rejects(opens.openSecrets(document, name, 'model-owner', 'correct horse'), {
      code: 'identity_invalid',
    });
  }
});

test.after(() => folder[Symbol.asyncDispose]());

test.run();
