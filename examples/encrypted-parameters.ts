/**
 * What a data owner's round costs where it does not see the parameters: its matrix of 50 columns times as many ciphertexts of 2048 bits, on
 * one thread and without the native kernel, beside one modular power for each entry of the matrix. The result is decrypted and checked.
 *
 * Run it: npm run build && node dist/examples/encrypted-parameters.js [columns] [backend]
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  compileFeatures,
  createDecryptor,
  createEncryptor,
  createPlan,
  encodeTable,
  encryptParameters,
  generateKeyPair,
  isEncrypted,
  openVector,
  parseModel,
  prepareMatrix,
  readTable,
  sealEncrypted,
  termsOf,
} from '../src/index.ts';
import { contribution } from '../src/learning/task.ts';
import { backendNames, selectBackend } from '../src/paillier/backend.ts';
import { bytesToBigint } from '../src/paillier/bytes.ts';
import { ciphertextBytes, powerModuloSquare } from '../src/paillier/public-key.ts';

const columns = Number(process.argv[2] ?? 50);
const backend = selectBackend(backendNames.find((name) => name === process.argv[3]) ?? 'bigint');
const records = 1000;

const model = parseModel({
  model_type: 'LINEAR_REGRESSION',
  model_visibility: 'encrypted',
  data_props: {
    features: Array.from({ length: columns }, (_, index) => ({
      name: `x${index}`,
      type: 'continuous',
      range: [-1, 1],
    })),
    target: { name: 'y', range: [-1, 1] },
  },
  encryption: { key_bits: 2048 },
});
const { task, plan: tagged } = termsOf(model, 3);
if (!isEncrypted(task)) throw new Error('the model is in the clear');
const plan = createPlan({ ...tagged, tags: false });

/** Made-up numbers within [−1, 1]. */
const numberOf = (row: number, column: number): string => Math.sin(row * 12.9898 + column * 78.233).toFixed(6);
const rows = Array.from({ length: records }, (_, row) =>
  Array.from({ length: columns + 1 }, (_, column) => numberOf(row, column)).join(','),
);
const header = [...model.data_props.features, model.data_props.target].map((field) => field.name).join(',');
const table = await readTable({ text: [header, ...rows].join('\n') }, model.data_props);
const own = encodeTable(compileFeatures(model), table);

const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
const encryptor = createEncryptor(publicKey, { backend });
const parameters = Float64Array.from({ length: columns + 1 }, (_, index) => Math.cos(index) / columns);
const encrypted = await encryptParameters(task, encryptor, parameters);

/** Of the fastest of three runs: what else the machine does is in none of them, if it can be helped. */
async function fastest<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; wall: number; processor: number }> {
  const runs = [];
  for (let run = 0; run < 3; run += 1) {
    await pause(50);
    const [started, before] = [performance.now(), process.cpuUsage()];
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    runs.push({ result, wall: performance.now() - started, processor: (user + system) / 1000 });
  }
  const [best] = runs.sort((left, right) => left.processor - right.processor);
  if (best === undefined) throw new Error('nothing was measured');
  return best;
}

const once = await fastest(() => prepareMatrix({ plan, task }, own));
const round = await fastest(() => sealEncrypted({ plan, encryptor }, once.result, encrypted));
const opened = openVector(plan, createDecryptor(privateKey), round.result, 1);
const expected = contribution(task, own, parameters);
if (opened.weight !== expected.weight || opened.values.some((value, index) => value !== expected.values[index]))
  throw new Error('the contribution does not decrypt to what it should');

// Each entry by a power of its own: of entries as long as those of this matrix.
const power = powerModuloSquare(publicKey, backend);
const base = bytesToBigint(encrypted.subarray(0, ciphertextBytes(publicKey)));
const someEntries = Array.from({ length: 20 }, (_, index) => task.encrypted.entryBound / BigInt(index + 2));
const naive = await fastest(() => Promise.resolve(someEntries.map((entry) => power(base, entry))));
const entries = (columns + 1) * (columns + 2);
const naively = (naive.processor / someEntries.length) * entries;

const figure = (milliseconds: number): string => `${milliseconds.toFixed(0)} ms`;
console.log(`${columns} columns, ${records} records, 2048 bits, backend ${backend.name}, one thread`);
console.log(`the matrix, once: ${figure(once.processor)}`);
console.log(`a round: ${figure(round.processor)} of the processor, ${figure(round.wall)} in all`);
console.log(`${plan.ciphertexts} ciphertexts, ${round.result.length} bytes`);
console.log(
  `a power for each of ${entries} entries: ${figure(naively)}, ${(naively / round.processor).toFixed(1)} times as much`,
);
