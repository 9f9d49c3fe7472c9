/**
 * How owners were seen, each view written once: records and events of a model name them by number, since every event tells of
 * all owners and most of them are as they were.
 */
import type { OwnerView } from '../protocol/job-messages.ts';
import type { Generation, Session } from './database.ts';
import { fromJson, type Json, piecesOf, toJson } from './row-json.ts';

/** The views of one model. */
interface Views {
  readonly numbers: Map<Json<OwnerView>, number>;
  readonly byNumber: Map<number, OwnerView>;
}

export interface OwnerViews {
  /** The numbers of these views, new ones for those that are new. */
  numbersOf(session: Session, id: string, owners: readonly OwnerView[]): Promise<readonly number[]>;
  /** The way from numbers to views. */
  reader(session: Session, id: string): Promise<(numbers: readonly number[]) => readonly OwnerView[]>;
  /** For a model whose views are deleted. */
  forget(session: Session, id: string): void;
}

/** Models whose views are held in memory. */
const modelsHeld = 8;

export function createOwnerViews(): OwnerViews {
  const known = new WeakMap<Generation, Map<string, Views>>();

  async function viewsOf({ rows, generation }: Session, id: string): Promise<Views> {
    const models = known.get(generation) ?? new Map<string, Views>();
    known.set(generation, models);
    const held = models.get(id);
    if (held !== undefined) return held;
    const found = await rows
      .selectFrom('model_views')
      .select(['number', 'view_json'])
      .where('id', '=', id)
      .orderBy('number')
      .execute();
    const views: Views = {
      numbers: new Map(found.map((row) => [row.view_json, row.number])),
      byNumber: new Map(found.map((row) => [row.number, fromJson(row.view_json)])),
    };
    models.set(id, views);
    const [oldest] = models.keys();
    if (models.size > modelsHeld && oldest !== undefined) models.delete(oldest);
    return views;
  }

  return {
    numbersOf: async (session, id, owners) => {
      const { numbers, byNumber } = await viewsOf(session, id);
      const added: { id: string; number: number; view_json: Json<OwnerView> }[] = [];
      const named = owners.map((view) => {
        const json = toJson(view);
        const before = numbers.get(json);
        if (before !== undefined) return before;
        const number = numbers.size + 1;
        numbers.set(json, number);
        byNumber.set(number, view);
        added.push({ id, number, view_json: json });
        return number;
      });
      for (const piece of piecesOf(added)) await session.rows.insertInto('model_views').values(piece).execute();
      return named;
    },
    reader: async (session, id) => {
      const { byNumber } = await viewsOf(session, id);
      return (numbers) => numbers.flatMap((number) => byNumber.get(number) ?? []);
    },
    forget: ({ generation }, id) => {
      known.get(generation)?.delete(id);
    },
  };
}
