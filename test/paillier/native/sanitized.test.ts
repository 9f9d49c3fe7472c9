/**
 * The kernel under the address and undefined-behaviour sanitizers, as a program of its own (driver.cc): against BigInt on numbers
 * that are sent to it, and one engine against the other on numbers of chance. SLOW=1 takes larger doses.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modInv, modPow } from 'bigint-crypto-utils';
import { suite } from 'uvu';
import { testOnlyGenerateKeyPair } from '../../../src/paillier/key-generation.ts';
import { engineNames } from '../../../src/paillier/native/addon.ts';
import { primesOf } from '../../../src/paillier/private-key.ts';
import { randomBelow, randomBits, systemRandom } from '../../../src/paillier/random.ts';

const test = suite('kernel, sanitized');

const slow = process.env.SLOW !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'sealsum-sanitized-'));
const driver = join(folder, 'driver');
const flags = ['-std=c++17', '-O1', '-g1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

/** Why there is nothing to run, or undefined when the driver is compiled. Throws what the compiler says about the driver. */
function compileDriver(): string | undefined {
  const compiler = process.env.CXX ?? 'c++';
  const empty = join(folder, 'empty.cc');
  writeFileSync(empty, 'int main() { return 0; }\n');
  const trial = spawnSync(compiler, [...flags, '-o', driver, empty]);
  if (trial.status !== 0) return `${compiler} is missing or has no sanitizers`;
  if (spawnSync(driver).status !== 0) return 'programs with sanitizers do not run here';
  const source = fileURLToPath(new URL('driver.cc', import.meta.url));
  const { status, stderr } = spawnSync(compiler, [...flags, '-Wall', '-Wextra', '-Werror', '-o', driver, source], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return undefined;
}

const missing = compileDriver();
if (missing !== undefined) console.log(`skipped: the kernel under sanitizers, ${missing}`);

function testDriver(name: string, body: () => void | Promise<void>): void {
  if (missing === undefined) test(name, body);
  else test.skip(name);
}

/** What the driver answers to each line. */
function ask(lines: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(driver, { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

const engines = missing === undefined ? enginesHere() : [];

function enginesHere(): string[] {
  return engineNames.filter((engine) => ask([`valid ${engine} f 2`])[0] !== 'no such engine');
}

const hex = (...values: readonly bigint[]): string => values.map((value) => value.toString(16)).join(' ');

testDriver('every engine computes what BigInt computes, for keys of many lengths', async () => {
  const lines: string[] = [];
  const expected: string[] = [];
  for (const bits of [
    32,
    50,
    62,
    96,
    104,
    128,
    130,
    208,
    254,
    416,
    512,
    830,
    ...(slow ? [1024, 2048, 3072] : [1024]),
  ]) {
    const { publicKey, privateKey } = await testOnlyGenerateKeyPair({ bits });
    const { p, q } = primesOf(privateKey);
    const { n, _n2: square } = publicKey;
    const width = Math.ceil((2 * bits) / 8);
    const written = (length: number, values: readonly bigint[]): string =>
      values.map((value) => value.toString(16).padStart(2 * length, '0')).join(' ');
    const h = randomBelow(n, systemRandom);
    const base = modPow(h, n, square);
    const most = 2n ** BigInt(bits / 2) - 1n;
    const pairs = [0n, 1n, most, most >> 1n, randomBits(bits / 2, systemRandom)].map(
      (alpha, index) => [[0n, n - 1n, 1n, n >> 1n][index] ?? randomBelow(n, systemRandom), alpha] as const,
    );
    const ciphertexts = pairs.map(([m, alpha]) => ((1n + m * n) * modPow(base, alpha, square)) % square);
    for (const engine of engines) {
      for (const [index, [m, alpha]] of pairs.entries()) {
        lines.push(`encrypt ${engine} ${hex(n, h)} ${bits / 2} ${hex(m, alpha)}`);
        expected.push(written(width, [ciphertexts[index] ?? 0n]));
      }
      const key = hex(p, q, p - modInv(q, p), q - modInv(p, q), modInv(p, q));
      lines.push(`decrypt ${engine} ${key} ${hex(...ciphertexts)}`);
      expected.push(
        written(
          Math.ceil(bits / 8),
          pairs.map(([m]) => m),
        ),
      );
      // As many as there are lanes for and one more, fewer, and one.
      for (const few of [1, 2, 3]) {
        lines.push(`decrypt ${engine} ${key} ${hex(...ciphertexts.slice(0, few))}`);
        expected.push(
          written(
            Math.ceil(bits / 8),
            pairs.slice(0, few).map(([m]) => m),
          ),
        );
      }
      lines.push(`decrypt ${engine} ${key} ${hex(...ciphertexts.with(3, 5n * q))}`);
      expected.push('refused 3');
      for (const shared of [n, 3n * p, 5n * q]) {
        lines.push(`decrypt ${engine} ${key} ${hex(shared)}`);
        expected.push('refused 0');
      }
      // Without the first, which is a ciphertext without randomness.
      const hidden = ciphertexts.slice(1);
      lines.push(`valid ${engine} ${hex(n, ...hidden)}`);
      expected.push('yes');
      for (const wrong of [0n, square, p, 3n * q, n, 1n + 2n * n]) {
        lines.push(`valid ${engine} ${hex(n, ...hidden.with(2, wrong))}`);
        expected.push('no');
      }
      const bases = [0n, 1n, n - 1n, p, h, ...hidden.map((c) => c % n)];
      const exponents = bases.map((_, index) => [0n, most, 1n, 16n][index] ?? randomBits(bits / 2, systemRandom));
      const asked = bases.map((each, index) => hex(each, exponents[index] ?? 0n)).join(' ');
      lines.push(`powers ${engine} ${hex(n)} ${bits / 2} ${bits % 7 === 0 ? 1 : 50} ${asked}`);
      expected.push(
        written(
          Math.ceil(bits / 8),
          bases.map((each, index) => modPow(each, exponents[index] ?? 0n, n)),
        ),
      );
      for (const times of [0, 1, 5]) {
        lines.push(`product ${engine} ${hex(n)} ${times} ${hex(...ciphertexts)}`);
        expected.push(
          written(
            width,
            ciphertexts.map((c) => modPow(c, BigInt(times + 1), square)),
          ),
        );
      }
    }
  }
  for (const [index, found] of ask(lines).entries()) assert.equal(found, expected[index], lines[index]);
});

testDriver('all engines agree on numbers of chance, and nothing is read or written that should not be', () => {
  const seed = randomBits(32, systemRandom);
  const [found] = ask([`fuzz ${seed} ${slow ? 5000 : 150}`]);
  if (found?.includes('one engine only') === true)
    console.log('skipped: one engine against the other, there is no AVX-512 IFMA here');
  assert.match(found ?? '', /^agree/, `seed ${seed}`);
});

test.after(() => {
  rmSync(folder, { recursive: true });
});

test.run();
