/** scripts/prepare.sh on a miniature checkout, whose build only notes that it ran. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url));

interface Context {
  checkout: string;
}

interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

const test = suite<Context>('preparing a checkout');

test.before.each(async (context) => {
  const checkout = await mkdtemp(join(tmpdir(), 'sealsum-checkout-'));
  context.checkout = checkout;
  for (const folder of ['scripts', 'src', 'parties', 'examples', 'node_modules', 'dist/parties/facilitator'])
    await mkdir(join(checkout, folder), { recursive: true });
  for (const script of ['prepare.sh', 'run_facilitator.sh'])
    await cp(scripts + script, join(checkout, 'scripts', script));
  const build = 'sleep 0.2 && echo built >> builds';
  await writeFile(join(checkout, 'package.json'), JSON.stringify({ name: 'miniature', scripts: { build } }));
  for (const file of ['tsconfig.json', 'tsconfig.build.json', 'src/a.ts']) await writeFile(join(checkout, file), '{}');
  await writeFile(join(checkout, 'dist/parties/facilitator/main.js'), 'console.log(process.argv.slice(2).join(" "));');
  await writeFile(join(checkout, 'package-lock.json'), '{}');
  await writeFile(join(checkout, 'node_modules/.package-lock.json'), '{}');
  await chmod(checkout, 0o755);
});

test.after.each(async ({ checkout }) => {
  await rm(checkout, { recursive: true });
});

/** Runs a script there, as root's nobody when told. */
function run(checkout: string, script: string, options: { readonly nobody?: boolean } = {}): Promise<Ran> {
  const path = join(checkout, 'scripts', script);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', path];
  const [command, args] = options.nobody === true ? ['setpriv', nobody] : [path, []];
  return new Promise((resolve) => {
    const child = spawn(command, [...args, '--port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString('utf8');
    });
    child.once('close', (code) => {
      resolve({ code, output, complaint });
    });
  });
}

async function builds(checkout: string): Promise<number> {
  const noted = await readFile(join(checkout, 'builds'), 'utf8').catch(() => '');
  return noted.split('\n').length - 1;
}

/** Saves a source after the last build. */
async function change(checkout: string, file: string): Promise<void> {
  const later = Date.now() / 1000 + 60;
  await utimes(join(checkout, file), later, later);
}

test('it builds once, however many start at the same time, and again only when a source is newer', async ({
  checkout,
}) => {
  const all = await Promise.all(Array.from({ length: 4 }, () => run(checkout, 'run_facilitator.sh')));
  for (const { code, output } of all) assert.deepEqual([code, output], [0, '--port 0\n']);
  assert.deepEqual(all.map(({ complaint }) => complaint).sort(), ['', '', '', 'building …\n']);
  assert.equal(await builds(checkout), 1);
  assert.deepEqual(await run(checkout, 'prepare.sh'), { code: 0, output: '', complaint: '' });
  await change(checkout, 'src/a.ts');
  assert.equal((await run(checkout, 'prepare.sh')).complaint, 'building …\n');
  assert.equal(await builds(checkout), 2);
});

test('a build that fails is no build, and nothing is started', async ({ checkout }) => {
  const broken = { name: 'miniature', scripts: { build: 'echo wrong >&2; exit 3' } };
  await writeFile(join(checkout, 'package.json'), JSON.stringify(broken));
  for (const moment of ['at first', 'again']) {
    const { code, output, complaint } = await run(checkout, 'run_facilitator.sh');
    assert.deepEqual([code, output], [3, ''], moment);
    assert.match(complaint, /^building …\nwrong\n/);
  }
});

test('a prepared checkout runs for those who cannot write there; one that is not says who prepares it', async ({
  checkout,
}) => {
  if (process.getuid?.() !== 0) {
    console.log('skipped: only root can become somebody else');
    return;
  }
  const unprepared = await run(checkout, 'run_facilitator.sh', { nobody: true });
  assert.deepEqual([unprepared.code, unprepared.output], [1, '']);
  const says = /^\S+ is not prepared, and \S+ may not write there: its owner runs scripts\/prepare\.sh\n$/;
  assert.match(unprepared.complaint, says);
  assert.equal((await run(checkout, 'prepare.sh')).code, 0);
  const prepared = await run(checkout, 'run_facilitator.sh', { nobody: true });
  assert.deepEqual(prepared, { code: 0, output: '--port 0\n', complaint: '' });
  for (const file of ['src/a.ts', 'package-lock.json']) {
    await change(checkout, file);
    assert.match((await run(checkout, 'run_facilitator.sh', { nobody: true })).complaint, says);
  }
  assert.equal(await builds(checkout), 1);
});

test.run();
