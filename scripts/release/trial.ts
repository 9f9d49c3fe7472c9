/** A tarball as those who install it find it: in an empty folder, with nothing of the checkout in reach. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a program that should end well has done. */
export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

export interface RunOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** @throws Error when it cannot be started or the signal aborts it */
export function run(program: string, args: readonly string[], { folder, signal }: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint = (complaint + chunk).slice(-10_000);
    });
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
      // One that was stopped has not ended yet; one that never began has.
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (code) => {
      if (failure === undefined) resolve({ code, output, complaint });
      else reject(failure);
    });
  });
}

export interface TrialOptions {
  /** The path of the tarball. */
  readonly tarball: string;
  /** The checkout, whose compiler reads the types. */
  readonly root: string;
  readonly signal: AbortSignal;
  /** Told what is done, and what came of it. */
  readonly onStep: (line: string) => void;
}

/** Uses the library as JavaScript: an encryption, a sum and a decryption, and a model that is written and read back. */
const script = `
import assert from 'node:assert/strict';
import * as sealsum from 'sealsum';
import * as client from 'sealsum/client';
assert.ok(Object.keys(client).length > 0);
const { publicKey, privateKey } = await sealsum.generateKeyPair({ bits: 2048 });
const sum = sealsum.aggregate;
assert.equal(typeof sum, 'function');
const encryptor = sealsum.createEncryptor(publicKey);
const decryptor = sealsum.createDecryptor(privateKey);
assert.deepEqual(decryptor.decryptBatch(encryptor.encryptBatch([42n, 7n]), 2), [42n, 7n]);
const model = sealsum.parseModel({
  model_type: 'LINEAR_REGRESSION',
  data_props: { features: [{ name: 'x', type: 'continuous', range: [0, 2] }], target: { name: 'y', range: [0, 10] } },
});
const text = sealsum.exportJson({ model, parameters: Float64Array.of(0, 0.5), origin: { program: 'a trial' } });
assert.deepEqual(sealsum.readExportedModel(text).predict([{ x: 2 }]), [7.5]);
console.log('the library works');
`;

/** Uses it as TypeScript; what must not compile is marked, so that types that say nothing are found out. */
const typed = `
import { type ExportedPredictor, type Model, parseModel, readExportedModel } from 'sealsum';
import { Client } from 'sealsum/client';
export const model: Model = parseModel({});
export const predictor: ExportedPredictor = readExportedModel('');
export const clientClass: typeof Client = Client;
// @ts-expect-error a number is no model
export const wrong: Model = 7;
`;

const typescript = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  },
  files: ['typed.ts'],
};

/**
 * Installs the tarball into an empty folder and tries it there; the folder is removed at the end.
 *
 * @throws Error naming the step that failed, and what was said there
 */
export async function tryTarball({ tarball, root, signal, onStep }: TrialOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-release-'));
  const step = async (name: string, program: string, args: readonly string[]): Promise<string> => {
    onStep(`${name} …`);
    const started = performance.now();
    const { code, output, complaint } = await run(program, args, { folder, signal });
    if (code !== 0) throw new Error(`${name}: ended with code ${code}\n${output}${complaint}`);
    onStep(`  done in ${((performance.now() - started) / 1000).toFixed(0)} s`);
    return output;
  };
  try {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'trial', private: true, type: 'module' }));
    await step('installing it into an empty folder', 'npm', ['install', '--no-audit', '--no-fund', tarball]);
    const installed = join(folder, 'node_modules', 'sealsum');
    onStep(`  ${await kernelOf(installed)}`);
    await writeFile(join(folder, 'script.js'), script);
    await step('using it as a library', process.execPath, ['script.js']);
    await writeFile(join(folder, 'typed.ts'), typed);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(typescript));
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    await step('compiling against its types', process.execPath, [compiler, '-p', '.']);
    onStep(await browserBundleOf(installed));
    const sealsum = join(folder, 'node_modules', '.bin', 'sealsum');
    await step('explaining a refusal', sealsum, ['explain', 'key-invalid']);
    const demo = await step('running the demo', sealsum, ['demo', '--json']);
    onStep(`  ${demoResult(demo)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function kernelOf(installed: string): Promise<string> {
  const built = await readdir(join(installed, 'build')).catch(() => []);
  const kernel = built.find((name) => /^kernel-.*\.node$/.test(name));
  return kernel === undefined
    ? 'no native kernel was built here: there is no C++ compiler, or install scripts do not run'
    : `native kernel ${kernel} was built there`;
}

async function browserBundleOf(installed: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    exports: { './client': { browser: string } };
  };
  const bundle = await readFile(join(installed, manifest.exports['./client'].browser), 'utf8');
  if (/from\s*["']node:|require\(["']/.test(bundle)) throw new Error('the browser bundle imports what browsers lack');
  return `browser bundle of ${bundle.length} bytes, without any import of Node's`;
}

/** The coefficients of the encrypted training are those of the pooled one. */
function demoResult(output: string): string {
  const {
    status,
    parameters,
    pooled_parameters: pooled,
  } = JSON.parse(output) as {
    status: string;
    parameters: { coefficients: number[] };
    pooled_parameters: { coefficients: number[] };
  };
  if (status !== 'finished') throw new Error(`the demo's model is ${status}`);
  const apart = Math.max(
    ...parameters.coefficients.map((value, index) => {
      const other = pooled.coefficients[index] ?? Number.NaN;
      return Math.abs(value - other) / Math.max(1, Math.abs(other));
    }),
  );
  if (!(apart < 1e-6)) throw new Error(`the demo's coefficients are ${apart} off those of pooled plaintext`);
  return `its coefficients are those of pooled plaintext, to ${apart.toExponential(1)}`;
}
