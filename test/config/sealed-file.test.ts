import assert from 'node:assert/strict';
import { chmod, chown, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { suite } from 'uvu';
import { readSealedFile, writeSealedFile } from '../../src/config/sealed-file.ts';
import { deriveKey, openSecret, type SealedSecret, sealSecret } from '../../src/config/sealed-secret.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { testFolder } from './folder.ts';

const test = suite('secrets in files');

const secret = new TextEncoder().encode('what nobody else may know');
const passphrase = 'correct horse battery staple';
const purpose = 'identity of data-owner north';
/** One seal for all tests: each costs what scrypt costs. */
const sealed = await sealSecret(secret, passphrase, purpose, systemRandom);

const open = (document: unknown, words = passphrase, what = purpose): Promise<Uint8Array> =>
  openSecret(document, words, what);

/** A copy of it with something else at a place; undefined takes the field away. */
function changed(path: readonly string[], value: unknown): Record<string, unknown> {
  const copy = structuredClone(sealed) as unknown as Record<string, unknown>;
  let here = copy;
  for (const part of path.slice(0, -1)) here = here[part] as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(here, last);
  else here[last] = value;
  return copy;
}

test('what is sealed opens, and says nothing of what is in it', async () => {
  assert.deepEqual(await open(JSON.parse(JSON.stringify(sealed))), secret);
  const text = JSON.stringify(sealed);
  for (const form of ['utf8', 'base64url', 'hex'] as const)
    assert.ok(!text.includes(Buffer.from(secret).toString(form)) && !text.includes(passphrase), form);
  assert.deepEqual(sealed.kdf, { name: 'scrypt', N: 131_072, r: 8, p: 1, salt: sealed.kdf.salt });
});

test('two seals of the same are different in salt, nonce and ciphertext', async () => {
  const again = await sealSecret(secret, passphrase, purpose, systemRandom);
  assert.notEqual(again.kdf.salt, sealed.kdf.salt);
  assert.notEqual(again.cipher.nonce, sealed.cipher.nonce);
  assert.notEqual(again.ciphertext, sealed.ciphertext);
});

test('scrypt as RFC 7914, section 12, has it', async () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const vectors: readonly (readonly [string, string, Parameters<typeof deriveKey>[2], string])[] = [
    [
      '',
      '',
      { N: 16, r: 1, p: 1 },
      '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
    ],
    [
      'password',
      'NaCl',
      { N: 1024, r: 8, p: 16 },
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    ],
    [
      'pleaseletmein',
      'SodiumChloride',
      { N: 16_384, r: 8, p: 1 },
      '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    ],
  ];
  for (const [words, salt, cost, expected] of vectors)
    assert.equal(Buffer.from(await deriveKey(words, bytes(salt), cost, 64)).toString('hex'), expected);
});

test('a passphrase is the same however its letters are composed', async () => {
  const derive = (words: string): Promise<Uint8Array> =>
    deriveKey(words, new Uint8Array(16), { N: 16, r: 1, p: 1 }, 32);
  assert.deepEqual(await derive('schl\u00fcssel'), await derive('schlu\u0308ssel'));
  assert.notDeepEqual(await derive('schl\u00fcssel'), await derive('schlussel'));
});

test('a wrong passphrase, and any change of salt, nonce, ciphertext, tag or purpose, does not open', async () => {
  const wrong = { code: 'passphrase_wrong', message: /passphrase does not open it/ };
  await assert.rejects(open(sealed, `${passphrase} `), wrong);
  const flipped = (text: string): string => {
    const bytes = Buffer.from(text, 'base64url');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return bytes.toString('base64url');
  };
  for (const path of [['kdf', 'salt'], ['cipher', 'nonce'], ['ciphertext'], ['tag']]) {
    const [table = '', field] = path;
    const part = sealed[table as keyof SealedSecret] as string | Record<string, string>;
    await assert.rejects(
      open(changed(path, flipped(typeof part === 'string' ? part : (part[field ?? ''] ?? '')))),
      wrong,
      path.join('.'),
    );
  }
  // Whoever changes the purpose in the file gets past the first check, not past the tag.
  await assert.rejects(
    open(changed(['purpose'], 'identity of data-owner south'), passphrase, 'identity of data-owner south'),
    wrong,
  );
});

test('other parameters, other forms and unknown fields are refused before any passphrase is tried', async () => {
  const invalid = async (document: unknown, field: string): Promise<void> => {
    await assert.rejects(open(document), (error: { code?: string; field?: string; message?: string }) => {
      assert.deepEqual([error.code, error.field], ['identity_invalid', field]);
      return true;
    });
  };
  const wrong: readonly (readonly [string, unknown])[] = [
    ['format', 'sealsum sealed secrets'],
    ['version', 2],
    ['version', '1'],
    ['kdf.name', 'pbkdf2'],
    ['kdf.N', 65_536],
    ['kdf.N', 262_144],
    ['kdf.r', 1],
    ['kdf.p', 2],
    ['kdf.salt', Buffer.alloc(31).toString('base64url')],
    ['kdf.salt', Buffer.alloc(33).toString('base64url')],
    ['kdf.salt', Buffer.alloc(32, 255).toString('base64')],
    ['cipher.name', 'aes-128-gcm'],
    ['cipher.nonce', Buffer.alloc(11).toString('base64url')],
    ['tag', Buffer.alloc(15).toString('base64url')],
    ['tag', `${sealed.tag}=`],
    // The last character of 16 bytes carries four bits that must be zero.
    ['tag', `${sealed.tag.slice(0, -1)}B`],
    ['ciphertext', `${sealed.ciphertext} `],
    ['ciphertext', 7],
    ['more', 1],
    ['kdf.more', 1],
    ['cipher.more', 1],
  ];
  for (const [field, value] of wrong) await invalid(changed(field.split('.'), value), field);
  for (const field of ['format', 'version', 'purpose', 'kdf', 'cipher', 'ciphertext', 'tag', 'kdf.N', 'kdf.salt'])
    await invalid(changed(field.split('.'), undefined), field);
  for (const nothing of [null, 1, 'sealed', []]) await invalid(nothing, '');
  await assert.rejects(open(sealed, passphrase, 'identity of data-owner south'), {
    code: 'identity_invalid',
    message: 'this is the identity of data-owner north, not the identity of data-owner south',
  });
});

test('a file is for its owner only, from the start and when it is read, and is replaced as a whole', async () => {
  await using folder = await testFolder();
  const path = folder.at('identity.json');
  await writeSealedFile(path, sealed, { replace: false });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readSealedFile(path, passphrase, purpose), secret);
  await assert.rejects(writeSealedFile(path, sealed, { replace: false }), {
    code: 'config_invalid',
    message: /is there already/,
  });
  await chmod(path, 0o644);
  for (const mode of [0o640, 0o604, 0o610, 0o601, 0o666]) {
    await chmod(path, mode);
    await assert.rejects(readSealedFile(path, passphrase, purpose), {
      code: 'identity_invalid',
      message: `${path} can be read by others; chmod 600 ${path}`,
      field: 'identity',
    });
  }
  await writeSealedFile(path, sealed, { replace: true });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await readFile(path, 'utf8')).trim(), JSON.stringify(sealed, undefined, 2));
  assert.deepEqual(await readdir(folder.path), ['identity.json']);
});

test('a file of another user is refused, even by who may read everything', async () => {
  if (process.getuid?.() !== 0) {
    console.log('skipped: only root can give a file away');
    return;
  }
  await using folder = await testFolder();
  const path = folder.at('identity.json');
  await writeSealedFile(path, sealed, { replace: false });
  await chown(path, 1, 1);
  await assert.rejects(readSealedFile(path, passphrase, purpose), {
    code: 'identity_invalid',
    message: `${path} belongs to another user; chown it to the one who runs this`,
  });
});

test('what is no file, no JSON or not there is refused with its name', async () => {
  await using folder = await testFolder();
  const path = folder.at('identity.json');
  const refused = (message: RegExp): { code: string; message: RegExp } => ({ code: 'identity_invalid', message });
  await assert.rejects(
    readSealedFile(path, passphrase, purpose),
    refused(/identity\.json cannot be read: there is no such/),
  );
  await assert.rejects(readSealedFile(folder.path, passphrase, purpose), refused(/is no regular file|it is a folder/));
  await writeFile(path, '{"seed": "secret', { mode: 0o600 });
  await assert.rejects(readSealedFile(path, passphrase, purpose), (error: Error) => {
    assert.match(error.message, /identity\.json: expected JSON$/);
    assert.ok(!String(error.stack).includes('seed'));
    return true;
  });
  await writeFile(path, 'x'.repeat(1024 * 1024 + 1));
  await assert.rejects(readSealedFile(path, passphrase, purpose), refused(/is larger than/));
  await symlink(path, folder.at('link'));
  await assert.rejects(readSealedFile(folder.at('link'), passphrase, purpose), refused(/is larger than/));
  await symlink(folder.at('circle'), folder.at('circle'));
  await assert.rejects(readSealedFile(folder.at('circle'), passphrase, purpose), refused(/circle/));
});

test.run();
