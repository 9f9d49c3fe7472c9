/** A data owner's ledger in its database. */
import { type Kysely, type Selectable, sql } from 'kysely';
import type { LedgerEntry, LedgerStore } from '../privacy/ledger.ts';
import type { Database } from './database.ts';
import type { LedgerTable, Tables } from './tables.ts';

export function createLedgerStore(database: Database): LedgerStore {
  return {
    append: ({ job, round, dataset, rho, unit, neighbours, sampling, at }) =>
      database.write(async ({ rows }) => {
        await rows
          .insertInto('ledger')
          .values({
            position: sql<number>`(select coalesce(max(position), 0) + 1 from ledger)`,
            job,
            round,
            dataset,
            rho_numerator: rho === null ? null : String(rho.numerator),
            rho_denominator: rho === null ? null : String(rho.denominator),
            unit,
            neighbours,
            sampling: sampling === null ? null : String(sampling),
            at,
          })
          .execute();
      }),

    entries: () => database.read(({ rows }) => ledgerEntries(rows)),
  };
}

/** All entries of a data owner's store, of this version or one before, in the order they were appended. */
export async function ledgerEntries(rows: Kysely<Tables>): Promise<LedgerEntry[]> {
  return (await rows.selectFrom('ledger').selectAll().orderBy('position').execute()).map(entryOf);
}

/** Of a row from before data sets and units were told apart, columns are null or, where the store is only read, not there. */
function entryOf(row: Selectable<OlderLedgerTable>): LedgerEntry {
  const { job, round, dataset, rho_numerator: numerator, rho_denominator: denominator, at } = row;
  const isProtected = numerator !== null && denominator !== null;
  return {
    job,
    round,
    dataset: dataset ?? null,
    rho: isProtected ? { numerator: BigInt(numerator), denominator: BigInt(denominator) } : null,
    // All there was then: one record, zeros in its place, and every record in every round.
    unit: isProtected ? (row.unit ?? 'record') : null,
    neighbours: isProtected ? (row.neighbours ?? 'zero-out') : null,
    sampling: isProtected ? Number(row.sampling ?? 1) : null,
    at,
  };
}

type Added = 'dataset' | 'unit' | 'neighbours' | 'sampling';
type OlderLedgerTable = Omit<LedgerTable, Added> & Partial<Pick<LedgerTable, Added>>;
