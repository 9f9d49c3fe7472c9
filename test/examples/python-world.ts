/** A facilitator, owner-1 in TypeScript, a model owner, and what owner-2 in Python needs; and forty records, dealt out to both. */
import type { suite } from 'uvu';
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import { oneKey } from '../end-to-end/keys.ts';
import {
  type Cast,
  createCast,
  Folder,
  type RunningFacilitator,
  startFacilitator,
  startModelOwner,
  startOwner,
} from '../end-to-end/parties.ts';
import { findPython, type OwnerFiles, writeOwnerFiles } from './python-owner.ts';

export const newKey: NewKeySource = await oneKey();

const header = 'age,visits,ward,outcome,late';
const wards = ['north', 'south', 'west'] as const;
/** Forty records that only look random. */
export const rows: readonly string[] = Array.from({ length: 40 }, (_, index) => {
  const age = (index * 37) % 101;
  const visits = (index * 7) % 11;
  const ward = wards[Math.floor(index / 2) % 3] ?? 'north';
  const outcome = 40 + 0.3 * age - 2 * visits + (ward === 'south' ? 6 : 0) + ((index * 13) % 7) / 3;
  return `${age},${visits},${ward},${outcome.toFixed(3)},${outcome + (index % 5) > 52 ? 'yes' : 'no'}`;
});
export const fileOf = (some: readonly string[]): string => [header, ...some, ''].join('\n');
const shares = [0, 1].map((owner) => fileOf(rows.filter((_, index) => index % 2 === owner)));

const age = { name: 'age', type: 'continuous', range: [0, 100] };
const visits = { name: 'visits', type: 'discrete', range: [0, 10] };
const ward = { name: 'ward', type: 'nominal', levels: wards };
const outcome = { name: 'outcome', range: [0, 100] };
/** A model.json without its training. */
interface Document {
  readonly model_type: string;
  readonly data_props: object;
  readonly encryption: { readonly key_bits: number };
  readonly participation: { readonly quorum: number; readonly deadline_seconds: number };
}

const settings = {
  encryption: { key_bits: 2048 },
  // Longer than any test takes.
  participation: { quorum: 2, deadline_seconds: 600 },
};
export const linear: Document = {
  ...settings,
  model_type: 'LINEAR_REGRESSION',
  data_props: { features: [age, visits, ward], target: outcome },
};
export const logistic: Document = {
  ...settings,
  model_type: 'LOGISTIC_REGRESSION',
  data_props: { features: [age, visits, ward], target: { name: 'late', levels: ['no', 'yes'] } },
};
export const softmax: Document = {
  ...settings,
  model_type: 'SOFTMAX_REGRESSION',
  data_props: { features: [age, visits], target: ward },
};
export const gradient = { solver: 'gradient', rounds: 4, optimizer: 'sgd', learning_rate: 0.5 };

export type App = (request: Request) => Response | Promise<Response>;

/** A facilitator, owner-1 in TypeScript, a model owner, and what owner-2 in Python needs. */
export interface World extends AsyncDisposable {
  readonly cast: Cast;
  readonly facilitator: RunningFacilitator;
  /** The URL of the model owner. */
  readonly modelOwner: string;
  readonly files: OwnerFiles;
}

export interface WorldOptions {
  /** Stands before the facilitator's app. */
  readonly before?: (app: App) => App;
  /** Without owner-1 and the model owner's party: for jobs that a test proposes itself. */
  readonly alone?: boolean;
}

export async function createWorld({ before, alone = false }: WorldOptions = {}): Promise<World> {
  const started: AsyncDisposable[] = [];
  const use = <T extends AsyncDisposable>(resource: T): T => {
    started.push(resource);
    return resource;
  };
  const stop = async (): Promise<void> => {
    for (const resource of started.splice(0).reverse()) await resource[Symbol.asyncDispose]();
  };
  try {
    const cast = createCast(2);
    const folder = use(await Folder.create());
    const facilitator = use(await startFacilitator({ cast, ...(before === undefined ? {} : { before }) }));
    const { url } = facilitator;
    const data = await folder.write('owner-1.csv', shares[0] ?? '');
    if (!alone) use(await startOwner({ cast, name: 'owner-1', facilitator: url, data }));
    const modelOwner = alone ? undefined : use(await startModelOwner(cast, url, { newKey }));
    const files = await writeOwnerFiles(folder, cast, { name: 'owner-2', data: shares[1] ?? '', url });
    return { cast, facilitator, modelOwner: modelOwner?.url ?? '', files, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Defines tests for a python3 that has what they need; where there is none, they are one that is skipped. */
export function forPython(test: ReturnType<typeof suite>, define: (python: string) => void): void {
  const python = findPython();
  if (python !== undefined) define(python);
  else {
    const why =
      'needs a python3 of 3.9 or newer with numpy and cryptography (apt-get install python3-numpy python3-cryptography)';
    console.log(`skipped: ${why}`);
    test.skip(why, () => undefined);
  }
}
