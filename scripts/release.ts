/** Checks, packs and tries a release; scripts/release.sh builds before it. Nothing is published. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { refuseInOneLine } from '../src/http/party-process.ts';
import { version } from '../src/version.ts';
import { faultsOf, type Packed } from './release/contents.ts';
import { obstacles } from './release/readiness.ts';
import { run, tryTarball } from './release/trial.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const options = refuseInOneLine(new Command('release.sh'), 'release')
  .description(
    'Pack sealsum, install the tarball into an empty folder, and try the demo, the library and its types there.',
  )
  .option('--trial', 'of a checkout as it is: what is in the way of a release is said and no obstacle', false)
  .option('--output <folder>', 'where the tarball is left', join(root, 'release'))
  .addHelpText('after', '\nExamples:\n  scripts/release.sh --trial\n  scripts/release.sh --output /tmp/release')
  .parse()
  .opts<{ readonly trial: boolean; readonly output: string }>();

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () => {
    stop.abort(new Error('stopped'));
  });
const { signal } = stop;

async function output(program: string, ...args: readonly string[]): Promise<string> {
  const { code, output: said, complaint } = await run(program, args, { folder: root, signal });
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''}: ended with code ${code}\n${complaint}`);
  return said;
}

function refuseAny(what: string, lines: readonly string[]): void {
  if (lines.length > 0) throw new Error([what, ...lines.map((line) => `  ${line}`)].join('\n'));
}

async function checkReadiness(): Promise<void> {
  const found = obstacles({
    version,
    changelog: await readFile(join(root, 'CHANGELOG.md'), 'utf8'),
    status: await output('git', 'status', '--porcelain'),
    tags: (await output('git', 'tag', '--list')).split('\n'),
  });
  if (!options.trial) refuseAny('this is no release yet:', found);
  for (const line of found) console.log(`in the way of a release: ${line}`);
}

async function pack(): Promise<{ readonly packed: Packed; readonly path: string }> {
  const folder = resolve(options.output);
  await mkdir(folder, { recursive: true });
  const said: unknown = JSON.parse(await output('npm', 'pack', '--json', '--pack-destination', folder));
  // A list of packages for npm 10, an object by their names for npm 11 and later.
  const [packed] = Object.values(said as Readonly<Record<string, Packed>>);
  if (packed === undefined) throw new Error('npm pack says nothing of what it packed');
  return { packed, path: join(folder, packed.filename) };
}

try {
  await checkReadiness();
  const { packed, path } = await pack();
  const { files, size, unpackedSize, integrity } = packed;
  console.log(`packed ${files.length} files, ${size} bytes, ${unpackedSize} unpacked`);
  refuseAny('the tarball is not as it should be:', faultsOf(packed));
  await tryTarball({
    tarball: path,
    root,
    signal,
    onStep: (line) => {
      console.log(line);
    },
  });
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  console.log(`${path}\nSHA-256 ${sha256}\nintegrity ${integrity}`);
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
