/** A data owner's ledger in its database. */
import { sql } from 'kysely';
import type { LedgerStore } from '../privacy/ledger.ts';
import type { Database } from './database.ts';

export function createLedgerStore(database: Database): LedgerStore {
  return {
    append: ({ job, round, rho, at }) =>
      database.write(async ({ rows }) => {
        await rows
          .insertInto('ledger')
          .values({
            position: sql<number>`(select coalesce(max(position), 0) + 1 from ledger)`,
            job,
            round,
            rho_numerator: rho === null ? null : String(rho.numerator),
            rho_denominator: rho === null ? null : String(rho.denominator),
            at,
          })
          .execute();
      }),

    entries: () =>
      database.read(async ({ rows }) => {
        const found = await rows.selectFrom('ledger').selectAll().orderBy('position').execute();
        return found.map(({ job, round, rho_numerator: numerator, rho_denominator: denominator, at }) => ({
          job,
          round,
          rho:
            numerator === null || denominator === null
              ? null
              : { numerator: BigInt(numerator), denominator: BigInt(denominator) },
          at,
        }));
      }),
  };
}
