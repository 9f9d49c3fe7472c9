/** Models and data for trainings that are disturbed, and what comes out of them undisturbed, to the last bit. */
import { encodeTable, type Records } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { parametersInDataUnits } from '../../src/learning/prediction.ts';
import { readTable } from '../../src/learning/table.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { linearSample } from '../end-to-end/data.ts';
import { prepare, train } from '../learning/in-process.ts';

export const ownerNames = ['north', 'east', 'south'] as const;
export type OwnerName = (typeof ownerNames)[number];

const rowsInAll = 60;
/** So many levels that the normal equations of them fill more than one block of ciphertexts at the facilitator. */
const regions = Array.from({ length: 139 }, (_, index) => `region-${index}`);

const sample = linearSample(rowsInAll);
const { features, target } = sample.document.data_props;

const participation = { quorum: 2, deadline_seconds: 600 };

/** What POST /models takes. */
export type Document = Readonly<Record<string, unknown>>;

export interface ModelOptions {
  readonly rounds?: number;
  readonly quorum?: number;
  /** The greatest wait in days that the model allows; the records of south have more than 50. */
  readonly longestWait?: number;
}

/** Gradients, round after round. */
export function gradientModel({ rounds = 6, quorum = 2, longestWait = 100 }: ModelOptions = {}): Document {
  return {
    ...sample.document,
    data_props: { features: [...features, { name: 'wait', type: 'continuous', range: [0, longestWait] }], target },
    training: { solver: 'gradient', rounds },
    encryption: { key_bits: 2048 },
    participation: { ...participation, quorum },
  };
}

/** The two owners of the wide model. */
export const wideRoster = ['north', 'east'] as const;

/** One round of contributions that the facilitator keeps in more than one block. */
export const wideModel: Document = {
  ...sample.document,
  data_props: { features: [{ name: 'region', type: 'nominal', levels: regions }], target },
  training: { solver: 'normal-equations', l2: 1 },
  encryption: { key_bits: 2048 },
  participation: { ...participation, roster: wideRoster },
};

/** A contribution to the wide model: the bytes of a ciphertext, of all of them, and of a part that is one block and a little more. */
export function wideBytes(): { readonly width: number; readonly bytes: number; readonly part: number } {
  const { ciphertexts, keyBits } = termsOf(parseModel(wideModel), wideRoster.length).plan;
  const width = (2 * keyBits) / 8;
  const block = 2 ** 18;
  const bytes = ciphertexts * width;
  if (bytes <= block + width) throw new Error(`the wide model fills ${bytes} bytes, which is no more than one block`);
  return { width, bytes, part: block + width };
}

/** The text of an owner's data file. @param wait the wait of its first record, in days, in place of what it is */
export function dataOf(owner: OwnerName, wait?: number): string {
  const place = ownerNames.indexOf(owner);
  const rows = sample.rows.flatMap((row, index) => {
    if (index % ownerNames.length !== place) return [];
    const own = owner === 'south' ? 60 + (index % 30) : index % 50;
    const shown = index === place && wait !== undefined ? wait : own;
    return [`${row},${shown},${regions[(7 * index) % regions.length] ?? ''}`];
  });
  return [`${sample.header},wait,region`, ...rows, ''].join('\n');
}

/** The coefficients that GET /models/{id}/parameters answers when these owners trained the model and nothing happened to anybody. */
export async function expectedAnswer(document: Document, owners: readonly OwnerName[]): Promise<string> {
  const shares: Records[] = [];
  const setting = await prepare(document, { text: dataOf('north') });
  for (const owner of owners) {
    const table = await readTable({ text: dataOf(owner) }, setting.model.data_props);
    shares.push(encodeTable(setting.map, table));
  }
  const { model, map } = setting;
  const { columns, coefficients } = parametersInDataUnits(model, map, train(setting, shares).parameters);
  return JSON.stringify({ columns, coefficients });
}
