/** Where passphrases come from, and what goes before what. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'uvu';
import { existingPassphrase, newPassphrase } from '../../src/config/passphrase.ts';
import { testFolder } from './folder.ts';
import { nobody, somebody } from './silent.ts';

const what = 'the identity of north';
const env = { SEALSUM_PASSPHRASE: 'of the environment' };

test('a file goes before the environment, and the environment before a person', async () => {
  await using folder = await testFolder();
  const file = folder.at('passphrase');
  await writeFile(file, 'of the file\n', { mode: 0o600 });
  const person = somebody(['typed', 'typed', 'typed']);
  assert.equal(await existingPassphrase(what, { file, env, terminal: person }), 'of the file');
  assert.equal(await existingPassphrase(what, { env, terminal: person }), 'of the environment');
  assert.deepEqual(person.asked, []);
  assert.equal(await existingPassphrase(what, { env: {}, terminal: person }), 'typed');
  assert.equal(await newPassphrase(what, { env: {}, terminal: person }), 'typed');
  assert.equal(person.asked.length, 3);
});

test('a file that is not there is passed over by a person or the environment, never in silence and never for a new one', async () => {
  await using folder = await testFolder();
  const file = folder.at('credentials', 'passphrase');
  const person = somebody(['typed']);
  assert.equal(await existingPassphrase(what, { file, env, terminal: nobody }), 'of the environment');
  assert.equal(await existingPassphrase(what, { file, env: {}, terminal: person }), 'typed');
  const refused = { code: 'identity_invalid', message: `${file} cannot be read: there is no such file or folder` };
  await assert.rejects(existingPassphrase(what, { file, env: {}, terminal: nobody }), refused);
  await assert.rejects(newPassphrase(what, { file, env, terminal: somebody(['typed', 'typed']) }), refused);
  // One that is there and wrong is not passed over.
  await writeFile(folder.at('empty'), '', { mode: 0o600 });
  await writeFile(folder.at('open'), 'for everybody', { mode: 0o644 });
  await assert.rejects(existingPassphrase(what, { file: folder.at('empty'), env, terminal: person }), /is empty/);
  await assert.rejects(existingPassphrase(what, { file: folder.at('open'), env, terminal: person }), /chmod 600/);
});

test.run();
