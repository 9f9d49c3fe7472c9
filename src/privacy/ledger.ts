/**
 * A data owner's own record of the privacy it has spent: charged before a contribution is made, never refunded.
 *
 * One charge pays for what leaves once. Between the charge and the moment at which a contribution is kept nothing has left, so
 * an owner whose process died there makes it anew for the same charge; what was kept is sent as it is or not at all.
 *
 * The rules are here, the keeping is behind `LedgerStore`. Charges are taken one after the other: what is spent is looked up, held
 * against the caps and written down before the next one is looked at, so that any number of them at once spend what the caps allow
 * and no more, and a round asked for twice at once is charged once. The same holds after a restart. Nothing is reserved for
 * a job, and no clock decides anything.
 */
import { SealsumError } from '../errors.ts';
import { type Composition, compose, NO_ROUNDS, type RoundLoss, roundsOf } from './accounting/composition.ts';
import { composeRho } from './accounting/zcdp.ts';
import { brokenCaps, type Caps, policyRefused } from './budget.ts';
import type { Neighbours, PrivacyUnit } from './mode.ts';
import { formatRational, type Rational } from './rational.ts';

/** What a round costs: the same in every round of a job. */
export interface Cost {
  /** On which data, by the name that their owner gives them. */
  readonly dataset: string;
  /** ρ of the round in zCDP; null for a round without differential privacy, which no sum can account for. */
  readonly rho: Rational | null;
  /** What it hides, between which neighbours; null where `rho` is. */
  readonly unit: PrivacyUnit | null;
  readonly neighbours: Neighbours | null;
  /** With which probability a unit takes part, which `rho` does not tell; null where `rho` is. */
  readonly sampling: number | null;
}

/** What one round of one job costs. */
export interface Charge extends Cost {
  readonly job: string;
  readonly round: number;
}

/** A charge as it is kept. */
export interface LedgerEntry extends Omit<Charge, 'dataset'> {
  /** null: charged before data sets were told apart, so that it counts for every one. */
  readonly dataset: string | null;
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

/** What an account has spent. */
export interface Spent {
  /** The exact sum over the rounds with differential privacy, with no regard to sampling. */
  readonly rho: Rational;
  readonly rounds: number;
  /** Rounds without differential privacy; while this is not 0, `rho` bounds nothing about the whole. */
  readonly unprotectedRounds: number;
}

/** An owner's own record of the privacy that it has spent. Nothing is ever given back. */
export interface Ledger {
  /**
   * Charges a round once and resolves when that is durable: true if it was charged now, false if it had been before. After
   * false, send what was kept when it was charged; only where nothing was kept, so that nothing has ever left, make it anew.
   *
   * A charge of which nobody knows whether it became durable counts as spent until it is asked for again.
   *
   * Throws `policy_refused` naming the cap that a new charge would break; `privacy_invalid` for a negative ρ and for a round that
   * was charged with another ρ, on another data set or for another unit; and what the store throws.
   *
   * @param caps of its data set and unit; unlimited unless given
   */
  charge(charge: Charge, caps?: Caps): Promise<boolean>;
  /** All that was charged, and what may have been. */
  entries(): Promise<readonly LedgerEntry[]>;
  /** What was spent in all, or by one job. */
  spent(job?: string): Promise<Spent>;
  /** What was spent on one data set for one unit, by all jobs but one. */
  spentByOthers(account: { readonly dataset: string; readonly unit: PrivacyUnit }, job: string): Promise<Composition>;
}

/** A ledger over what `store` holds; `now` only dates the entries. */
export function createLedger(store: LedgerStore, now: () => Date = () => new Date()): Ledger {
  /** What the store is known to hold; read again after a failure, when an entry may or may not have become durable. */
  let known: Books | undefined;
  /** Entries that may be in the store, and that it has not shown since. */
  const doubtful = new Map<string, LedgerEntry>();
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  async function books(): Promise<Books> {
    known ??= new Books(await store.entries());
    for (const key of doubtful.keys()) if (known.entries.has(key)) doubtful.delete(key);
    return known;
  }

  /** With what may have been spent. */
  async function allEntries(): Promise<LedgerEntry[]> {
    return [...(await books()).entries.values(), ...doubtful.values()];
  }

  /** What is spent in an account without one charge. */
  function spentBeside(held: Books, { dataset, unit }: Charge, key: string): Composition {
    const doubts = [...doubtful].filter(([each, entry]) => each !== key && isCharged(entry, dataset, unit));
    return compose([held.spentIn(dataset, unit), spentOn(doubts.map(([, entry]) => entry))]);
  }

  return {
    charge: (charge, caps = {}) =>
      inTurn(async () => {
        const { job, round, dataset, rho, unit, neighbours, sampling } = charge;
        requireCharge(charge);
        const entry: LedgerEntry = { job, round, dataset, rho, unit, neighbours, sampling, at: now().toISOString() };
        const key = keyOf(entry);
        const held = await books();
        requireSameCharge(held.entries.get(key) ?? doubtful.get(key), entry);
        if (held.entries.has(key)) return false;
        const broken = brokenCaps(caps, { loss: lossOf(charge), rounds: 1, spent: spentBeside(held, charge, key) });
        if (broken.length > 0) throw policyRefused(broken);
        known = undefined;
        doubtful.set(key, entry);
        await store.append(entry);
        doubtful.delete(key);
        held.add(entry);
        known = held;
        return true;
      }),
    entries: () => inTurn(allEntries),
    spent: (job) =>
      inTurn(async () => {
        const entries = (await allEntries()).filter((entry) => job === undefined || entry.job === job);
        const rhos = entries.flatMap(({ rho }) => (rho === null ? [] : [rho]));
        return { rho: composeRho(rhos), rounds: entries.length, unprotectedRounds: entries.length - rhos.length };
      }),
    spentByOthers: ({ dataset, unit }, job) =>
      inTurn(async () => {
        const others = (await allEntries()).filter((entry) => entry.job !== job && isCharged(entry, dataset, unit));
        return spentOn(others);
      }),
  };
}

/** What a store holds, and the sums over it. */
class Books {
  readonly entries: Map<string, LedgerEntry> = new Map();
  /** By account; sums are kept, so that a charge does not take the longer the more there were before it. */
  readonly #sums: Map<string, Composition> = new Map();

  constructor(entries: readonly LedgerEntry[]) {
    const charged = new Map<string, LedgerEntry[]>();
    for (const entry of entries) {
      const before = this.entries.get(keyOf(entry));
      requireSameCharge(before, entry);
      this.entries.set(keyOf(entry), entry);
      if (before !== undefined || entry.rho === null) continue;
      const account = accountOf(entry);
      const found = charged.get(account) ?? [];
      found.push(entry);
      charged.set(account, found);
    }
    for (const [account, found] of charged) this.#sums.set(account, spentOn(found));
  }

  add(entry: LedgerEntry): void {
    this.entries.set(keyOf(entry), entry);
    if (entry.rho === null) return;
    const account = accountOf(entry);
    this.#sums.set(account, compose([this.#sums.get(account) ?? NO_ROUNDS, spentOn([entry])]));
  }

  /** What was spent on a data set, and on those that were not told apart. */
  spentIn(dataset: string, unit: PrivacyUnit | null): Composition {
    return compose([dataset, null].map((each) => this.#sums.get(accountOf({ dataset: each, unit })) ?? NO_ROUNDS));
  }
}

/** What these rounds lose together, those without differential privacy left out. */
export function spentOn(entries: readonly LedgerEntry[]): Composition {
  return compose(
    entries.flatMap((entry) => {
      const loss = lossOf(entry);
      return loss === null ? [] : [roundsOf(loss)];
    }),
  );
}

/** null: no differential privacy. */
function lossOf({ rho, sampling }: Pick<LedgerEntry, 'rho' | 'sampling'>): RoundLoss | null {
  return rho === null ? null : { rho, sampling: sampling ?? 1 };
}

/**
 * Whether an entry counts for a data set and a unit.
 *
 * @param dataset null: for one that nothing is known of
 * @param unit null: without differential privacy
 */
export function isCharged(entry: LedgerEntry, dataset: string | null, unit: PrivacyUnit | null): boolean {
  return entry.unit === unit && (entry.dataset === null || entry.dataset === dataset);
}

function accountOf({ dataset, unit }: Pick<LedgerEntry, 'dataset' | 'unit'>): string {
  return JSON.stringify([dataset, unit]);
}

function keyOf({ job, round }: LedgerEntry): string {
  return `${round} ${job}`;
}

function requireCharge({ rho, unit, neighbours, sampling }: Charge): void {
  if (rho !== null && rho.numerator < 0n)
    throw new SealsumError('privacy_invalid', `rho: expected at least 0, got ${formatRational(rho)}`, { field: 'rho' });
  if ([unit, neighbours, sampling].some((each) => (each === null) !== (rho === null)))
    throw new SealsumError(
      'privacy_invalid',
      'unit: expected one, and neighbours and sampling, exactly where there is a rho',
      { field: 'unit' },
    );
  if (sampling !== null && !(sampling > 0 && sampling <= 1))
    throw new SealsumError('privacy_invalid', `sampling: expected more than 0 and at most 1, got ${sampling}`, {
      field: 'sampling',
    });
}

/** One round of one job has one cost: another one is a mistake of the books or of the caller, and neither may be guessed away. */
function requireSameCharge(before: LedgerEntry | undefined, entry: LedgerEntry): void {
  if (before === undefined) return;
  const { job, round } = entry;
  const [charged, asked] = [before, before.dataset === null ? { ...entry, dataset: null } : entry].map(figure);
  if (charged === asked) return;
  throw new SealsumError(
    'privacy_invalid',
    `job ${job}, round ${round}: already charged with ${charged}, now asked for ${asked}`,
    { field: 'rho' },
  );
}

function figure({ dataset, rho, unit, neighbours, sampling }: LedgerEntry): string {
  const data = dataset === null ? '' : ` on ${dataset}`;
  if (rho === null) return `no differential privacy${data}`;
  const chance = sampling === null || sampling === 1 ? '' : `, sampled with probability ${sampling}`;
  return `rho ${formatRational(rho)}${data} for the unit ${unit}, neighbours by ${neighbours}${chance}`;
}
