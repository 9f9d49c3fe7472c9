/**
 * Compiles the kernel of src/paillier/native for this machine, into build/. Runs when the package is installed, and when the sources
 * are newer than what is there. Nothing is needed but a C++ compiler (CXX, or c++): the headers come from node-api-headers. Without
 * one it says so on one line and ends with code 0, as everything works without a kernel; --require makes that code 1.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = join(root, 'src', 'paillier', 'native');
const target = join(root, 'build', `kernel-${process.platform}-${process.arch}.node`);
const required = process.argv.includes('--require');

/** @param {string} why */
function skip(why) {
  console.error(`sealsum: no native kernel, ${why}; everything works without it, Paillier is slower`);
  process.exitCode = required ? 1 : 0;
}

function upToDate() {
  const built = statSync(target, { throwIfNoEntry: false });
  if (built === undefined) return false;
  const files = readdirSync(sources).filter((name) => /\.(h|cc)$/.test(name));
  return [...files.map((name) => join(sources, name)), fileURLToPath(import.meta.url)].every(
    (file) => statSync(file).mtimeMs <= built.mtimeMs,
  );
}

async function build() {
  if (!['linux', 'darwin'].includes(process.platform) || !['x64', 'arm64'].includes(process.arch)) {
    skip(`as it is not made for ${process.platform} on ${process.arch}`);
    return;
  }
  if (upToDate()) return;
  const compiler = process.env.CXX ?? 'c++';
  if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0) {
    skip(`as there is no C++ compiler (${compiler})`);
    return;
  }
  let headers;
  try {
    headers = (await import('node-api-headers')).include_dir;
  } catch {
    skip('as node-api-headers is not installed');
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  // Whoever loads the old one meanwhile keeps it whole.
  const fresh = `${target}.${process.pid}`;
  const { status, stderr } = spawnSync(
    compiler,
    [
      ...['-std=c++17', '-O3', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden'],
      ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []),
      ...['-I', headers, '-o', fresh, join(sources, 'binding.cc')],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) {
    skip(
      `as ${compiler} could not compile it: ${stderr.split('\n').find((line) => line.includes('error')) ?? 'it failed'}`,
    );
    return;
  }
  renameSync(fresh, target);
}

await build();
