/**
 * A data owner's own record of the privacy it has spent: charged before a contribution is made, never refunded.
 *
 * One charge pays for what leaves once. Between the charge and the moment at which a contribution is kept nothing has left, so
 * an owner whose process died there makes it anew for the same charge; what was kept is sent as it is or not at all.
 *
 * The rules are here, the keeping is behind `LedgerStore`. Charges are taken one after the other, so a round asked for twice
 * at once is charged once; the same holds for a retry after a restart.
 */
import { SealsumError } from '../errors.ts';
import { composeRho } from './accounting/zcdp.ts';
import { formatRational, type Rational } from './rational.ts';

export interface LedgerEntry {
  readonly job: string;
  readonly round: number;
  /** ρ of the round in zCDP; null for a round without differential privacy, which no sum can account for. */
  readonly rho: Rational | null;
  /** When it was charged, in ISO 8601, for people to read; nothing is decided by it. */
  readonly at: string;
}

/** Where entries are kept: append-only. */
export interface LedgerStore {
  /** Resolves once the entry is durable. */
  append(entry: LedgerEntry): Promise<void>;
  /** All entries, in the order they were appended. */
  entries(): Promise<LedgerEntry[]>;
}

export interface Spent {
  /** The exact sum over the rounds with differential privacy. */
  readonly rho: Rational;
  readonly rounds: number;
  /** Rounds without differential privacy; while this is not 0, `rho` bounds nothing about the whole. */
  readonly unprotectedRounds: number;
}

export interface Ledger {
  /**
   * Charges a round once and resolves when that is durable: true if it was charged now, false if it had been before. After
   * false, send what was kept when it was charged; only where nothing was kept, so that nothing has ever left, make it anew.
   *
   * Throws `privacy_invalid` for a negative ρ and for a round that was charged with another ρ.
   */
  charge(charge: { job: string; round: number; rho: Rational | null }): Promise<boolean>;
  /** What was spent in all, or by one job. */
  spent(job?: string): Promise<Spent>;
}

/** A ledger over what `store` holds; `now` only dates the entries. */
export function createLedger(store: LedgerStore, now: () => Date = () => new Date()): Ledger {
  /** What the store is known to hold; read again after a failure, when an entry may or may not have become durable. */
  let known: Map<string, LedgerEntry> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  async function charged(): Promise<Map<string, LedgerEntry>> {
    if (known === undefined) {
      const entries = new Map<string, LedgerEntry>();
      for (const entry of await store.entries()) {
        requireSameCharge(entries.get(keyOf(entry)), entry);
        entries.set(keyOf(entry), entry);
      }
      known = entries;
    }
    return known;
  }

  return {
    charge: ({ job, round, rho }) =>
      inTurn(async () => {
        if (rho !== null && rho.numerator < 0n) {
          throw new SealsumError('privacy_invalid', `rho: expected at least 0, got ${formatRational(rho)}`, {
            field: 'rho',
          });
        }
        const entries = await charged();
        const entry: LedgerEntry = { job, round, rho, at: now().toISOString() };
        const before = entries.get(keyOf(entry));
        requireSameCharge(before, entry);
        if (before !== undefined) return false;
        known = undefined;
        await store.append(entry);
        entries.set(keyOf(entry), entry);
        known = entries;
        return true;
      }),
    spent: (job) =>
      inTurn(async () => {
        const entries = [...(await charged()).values()].filter((entry) => job === undefined || entry.job === job);
        const rhos = entries.flatMap(({ rho }) => (rho === null ? [] : [rho]));
        return { rho: composeRho(rhos), rounds: entries.length, unprotectedRounds: entries.length - rhos.length };
      }),
  };
}

function keyOf({ job, round }: LedgerEntry): string {
  return `${round} ${job}`;
}

/** One round of one job has one ρ: a second figure is a mistake of the books or of the caller, and neither may be guessed away. */
function requireSameCharge(before: LedgerEntry | undefined, { job, round, rho }: LedgerEntry): void {
  if (before === undefined || figure(before.rho) === figure(rho)) return;
  throw new SealsumError(
    'privacy_invalid',
    `job ${job}, round ${round}: already charged with ${figure(before.rho)}, now asked for ${figure(rho)}`,
    { field: 'rho' },
  );
}

function figure(rho: Rational | null): string {
  return rho === null ? 'no differential privacy' : `rho ${formatRational(rho)}`;
}
