/** The softmax regression of model.json, trained by the project's ordinary parties, each a process of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemo } from '../../scripts/demo/run.ts';
import type { Prediction } from '../../src/index.ts';
import { type Row, writeDigits } from './data.ts';

export interface TrainedSoftmax {
  readonly rounds: number;
  readonly loss: number | null;
  readonly testAccuracy: number;
}

export interface SoftmaxOptions {
  readonly training: readonly Row[];
  readonly test: readonly Row[];
  readonly owners: number;
  readonly keyBits: number;
  /** Of model.json unless given. */
  readonly rounds?: number;
  readonly onStep: (line: string) => void;
  readonly onProgress: (done: number, planned: number) => void;
}

export async function trainSoftmax({
  training,
  test,
  keyBits,
  rounds,
  ...options
}: SoftmaxOptions): Promise<TrainedSoftmax> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-digits-'));
  try {
    const [data, evaluation] = [join(folder, 'training.csv'), join(folder, 'test.csv')];
    await writeDigits(data, training);
    await writeDigits(evaluation, test);
    const document = await softmaxDocument(keyBits, rounds);
    const { updates, cost, predictions } = await runDemo({ ...options, document, data, evaluation });
    return { rounds: updates, loss: cost, testAccuracy: shareCorrect(predictions, test) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** model.json, with a key of so many bits. */
async function softmaxDocument(keyBits: number, rounds: number | undefined): Promise<unknown> {
  // Compiled, this file is in dist/examples/digits.
  const path = import.meta.url.endsWith('.js') ? '../../../examples/digits/model.json' : './model.json';
  const document = JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8')) as { readonly training: object };
  return {
    ...document,
    training: { ...document.training, ...(rounds === undefined ? {} : { rounds }) },
    encryption: { key_bits: keyBits },
  };
}

function shareCorrect(predictions: readonly Prediction[], test: readonly Row[]): number {
  const correct = test.filter((row, index) => {
    const prediction = predictions[index];
    return typeof prediction === 'object' && prediction.class === String(row.at(-1));
  });
  return correct.length / test.length;
}
