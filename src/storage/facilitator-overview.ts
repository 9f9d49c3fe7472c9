/** What a facilitator's own people see of its rounds, read without the ciphertexts, signatures and descriptors. */
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { Session } from './database.ts';
import type { FacilitatorStore, RoundEnding, RoundLine, StoreTotals } from './facilitator-store.ts';
import { fromJson } from './row-json.ts';
import type { RoundsTable } from './tables.ts';

type Rows = Session['rows'];

export function endingOf(row: Pick<RoundsTable, 'ended_at' | 'closing_milliseconds'>): {
  readonly ending?: RoundEnding;
} {
  const { ended_at: at, closing_milliseconds: milliseconds } = row;
  return at === null ? {} : { ending: { at, milliseconds: milliseconds ?? 0 } };
}

export async function readRoundLines(
  rows: Rows,
  job: JobId,
  { before, limit }: Parameters<FacilitatorStore['roundLines']>[1],
): Promise<readonly RoundLine[]> {
  let asked = rows
    .selectFrom('rounds')
    .select(['round', 'status', 'opened_at', 'deadline', 'quorum', 'roster_json', 'reason_json'])
    .select(['ended_at', 'closing_milliseconds'])
    .where('job', '=', job);
  if (before !== undefined) asked = asked.where('round', '<', before);
  const found = await asked.orderBy('round', 'desc').limit(limit).execute();
  const [first, last] = [found.at(-1)?.round, found[0]?.round];
  if (first === undefined || last === undefined) return [];
  const summed = await rows
    .selectFrom('contributions')
    .select((row) => ['round', row.fn.countAll().as('count'), row.fn.sum('bytes').as('bytes')])
    .where('job', '=', job)
    .where('round', '>=', first)
    .where('round', '<=', last)
    .groupBy('round')
    .execute();
  const sums = new Map(
    summed.map(({ round, count, bytes }) => [round, { count: Number(count), bytes: Number(bytes) }]),
  );
  const rosters = new Map(found.map(({ round, roster_json }) => [round, fromJson(roster_json)]));
  const incomplete = found.flatMap(({ round }) => {
    const { count } = sums.get(round) ?? { count: 0 };
    return count > 0 && count < (rosters.get(round)?.length ?? 0) ? [round] : [];
  });
  const contributors = await contributorsOf(rows, job, incomplete);
  return found.map((row) => {
    const { round, status, opened_at: openedAt, deadline, quorum, reason_json: reason } = row;
    const roster = rosters.get(round) ?? [];
    const { count, bytes } = sums.get(round) ?? { count: 0, bytes: 0 };
    const known = contributors.get(round);
    const missing = count === 0 ? roster : known === undefined ? [] : roster.filter((owner) => !known.has(owner));
    return {
      round,
      status,
      openedAt,
      deadline,
      quorum,
      asked: roster.length,
      contributions: count,
      bytes,
      missing,
      ...endingOf(row),
      ...(reason === null ? {} : { reason: fromJson(reason) }),
    };
  });
}

/** Who has contributed, of rounds in which somebody did not. */
async function contributorsOf(
  rows: Rows,
  job: JobId,
  rounds: readonly number[],
): Promise<ReadonlyMap<number, ReadonlySet<OwnerId>>> {
  const found = new Map<number, Set<OwnerId>>();
  if (rounds.length === 0) return found;
  const named = await rows
    .selectFrom('contributions')
    .select(['round', 'owner'])
    .where('job', '=', job)
    .where('round', 'in', [...rounds])
    .execute();
  for (const { round, owner } of named) found.set(round, (found.get(round) ?? new Set()).add(owner));
  return found;
}

export async function readTotals(rows: Rows, job: JobId | undefined): Promise<StoreTotals> {
  let rounds = rows.selectFrom('rounds').select((row) => ['status', row.fn.countAll().as('count')]);
  let contributions = rows
    .selectFrom('contributions')
    .select((row) => [row.fn.countAll().as('count'), row.fn.sum('bytes').as('bytes')]);
  if (job !== undefined) {
    rounds = rounds.where('job', '=', job);
    contributions = contributions.where('job', '=', job);
  }
  const counted = { open: 0, closed: 0, abandoned: 0 };
  for (const { status, count } of await rounds.groupBy('status').execute()) counted[status] = Number(count);
  // null where there is nothing to add up.
  const { count, bytes } = await contributions.executeTakeFirstOrThrow();
  return { rounds: counted, contributions: Number(count), bytes: Number(bytes) };
}
