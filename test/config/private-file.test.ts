/** Which files may hold a secret: the user's own, and what root keeps for a service, as systemd does with credentials. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import { readPrivateFile } from '../../src/config/files.ts';
import { testFolder } from './folder.ts';

const files = fileURLToPath(new URL('../../src/config/files.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Somebody without rights of their own; in root's group, which stands for an access control list that lets them read. */
const service = 65_534;

/** What a service reads, or how it is refused. */
function readAsService(path: string): string {
  const program = `
    const { readPrivateFile } = await import(${JSON.stringify(files)});
    process.setgroups([0]);
    process.setgid(${service});
    process.setuid(${service});
    console.log(await readPrivateFile(${JSON.stringify(path)}, 'passphrase_file').then(String, (error) => error.message));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: root, encoding: 'utf8' },
  );
  return (stdout + stderr).trim();
}

test('a file of the user is read unless the group or others may do anything with it', async () => {
  await using folder = await testFolder();
  const path = folder.at('passphrase');
  await writeFile(path, 'secret', { mode: 0o600 });
  for (const mode of [0o600, 0o400]) {
    await chmod(path, mode);
    assert.equal((await readPrivateFile(path, 'passphrase_file')).toString(), 'secret');
  }
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o440]) {
    await chmod(path, mode);
    await assert.rejects(readPrivateFile(path, 'passphrase_file'), {
      code: 'identity_invalid',
      field: 'passphrase_file',
      message: `${path} can be read by others; chmod 600 ${path}`,
    });
  }
});

test('a file that root keeps for a service is read by it, unless more than root could change or others could read it', async () => {
  if (process.getuid?.() !== 0) {
    console.log('skipped: only root can become a service');
    return;
  }
  await using folder = await testFolder();
  await chmod(folder.path, 0o755);
  const path = folder.at('passphrase');
  await writeFile(path, 'secret', { mode: 0o600 });
  const readable = async (owner: number, group: number, mode: number): Promise<string> => {
    await chown(path, owner, group);
    await chmod(path, mode);
    return readAsService(path);
  };
  assert.equal(await readable(0, 0, 0o440), 'secret');
  assert.equal(await readable(service, service, 0o400), 'secret');
  for (const mode of [0o444, 0o460, 0o450, 0o644]) assert.match(await readable(0, 0, mode), /can be read by others/);
  assert.match(await readable(0, service, 0o440), /belongs to another user/);
  assert.match(await readable(1, 0, 0o440), /belongs to another user/);
  assert.match(await readable(0, 0, 0o400), /cannot be read: permission denied/);
});

test.run();
