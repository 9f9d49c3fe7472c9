/** Files that commands write and read: in one step, with the place of what is no JSON. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { JsonFiles, named, writeOutput, writeSecretLine } from '../../src/cli/files.ts';
import { SealsumError } from '../../src/errors.ts';

const test = suite<{ folder: string }>('files of commands');

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'sealsum-files-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

test('a file is replaced as a whole, with its permissions, and where a link leads', async ({ folder }) => {
  const [file, link] = [join(folder, 'a.json'), join(folder, 'link.json')];
  await writeOutput(file, 'first');
  await chmod(file, 0o640);
  await symlink(file, link);
  const { ino } = await stat(file);
  await writeOutput(link, new Uint8Array([50, 51]));
  assert.equal(await readFile(file, 'utf8'), '23');
  assert.equal((await stat(file)).mode & 0o777, 0o640);
  // Another file, that has the name now: no reader has seen half of one.
  assert.notEqual((await stat(file)).ino, ino);
  assert.deepEqual((await readdir(folder)).sort(), ['a.json', 'link.json']);
});

test('a secret is readable for nobody else, even where somebody else could read what was there', async ({ folder }) => {
  const file = join(folder, 'key.json');
  await writeFile(file, 'old', { mode: 0o644 });
  await writeSecretLine(file, 'new');
  assert.equal(await readFile(file, 'utf8'), 'new\n');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('a device is written to, and stays one; a folder is none', async ({ folder }) => {
  await writeOutput('/dev/null', 'x');
  assert.ok((await stat('/dev/null')).isCharacterDevice());
  await assert.rejects(writeOutput(folder, 'x'), /cannot write .*: it is a folder/);
  await assert.rejects(writeOutput(join(folder, 'no', 'file'), 'x'), /cannot write .*: there is no such folder/);
});

test('what is no JSON is told by its place, and never quoted', async ({ folder }) => {
  const file = join(folder, 'key.json');
  await writeFile(file, '{\n  "kty": "secret" x\n}');
  const error = await new JsonFiles()
    .read(file, (json) => json)
    .then(
      () => assert.fail(),
      (thrown: unknown) => thrown,
    );
  assert.ok(error instanceof SealsumError);
  assert.equal(error.message, `${file}: expected JSON, and it is none from line 2, column 19 on`);
  assert.equal(error.line, 2);
});

test('a file is named with all that an error says', () => {
  const error = named('rows.csv', new SealsumError('data_invalid', 'no', { field: 'age', line: 3 }));
  assert.ok(error instanceof SealsumError);
  assert.deepEqual([error.message, error.field, error.line], ['rows.csv: no', 'age', 3]);
});

test.run();
