/** What a data owner's ledger says to its own people: spent and left, as data for JSON (names as on the wire). */
import { type Composition, compose, epsilonOf, NO_ROUNDS, rhoOf, roundsOf } from './accounting/composition.ts';
import { composeRho } from './accounting/zcdp.ts';
import { type Caps, leftOf } from './budget.ts';
import { type Cost, isCharged, type LedgerEntry, spentOn } from './ledger.ts';
import type { Neighbours, PrivacyUnit } from './mode.ts';
import { multiplyRationals, type Rational, rational, rationalFromNumber, toNumberAbove } from './rational.ts';

/** A fraction in lowest terms, in decimal, and a double beside it: never too little of what is spent, never too much of what is left. */
export interface RhoView {
  readonly numerator: string;
  readonly denominator: string;
  readonly value: number;
}

/** What is spent, or left, of one data set for one unit. */
export interface Amount {
  /** With no regard to sampling where it is spent; where it is left, for rounds without. */
  readonly rho: RhoView;
  /** The ε that this gives, sampling counted, with the δ of the caps; null without a δ, beyond 2^64, and where rounds went without privacy. */
  readonly epsilon: number | null;
}

export interface AccountView {
  /** null: charged before data sets were told apart. */
  readonly dataset: string | null;
  readonly unit: PrivacyUnit;
  /** Between which neighbours what is spent holds; null where nothing is. */
  readonly neighbours: Neighbours | null;
  /** With differential privacy, and without. */
  readonly rounds: number;
  readonly unprotected_rounds: number;
  readonly spent: Amount;
  /** null: not limited. */
  readonly left: Amount | null;
}

/** The caps that every account has for itself; null: not limited. */
export interface CapsView {
  readonly rho_per_round: RhoView | null;
  readonly rho_total: RhoView | null;
  readonly epsilon: number | null;
  readonly delta: number | null;
}

export type LedgerEntryView = Omit<LedgerEntry, 'rho'> & { readonly rho: RhoView | null };

export interface LedgerStatement {
  /** Over everything together, whatever was hidden in which data: more than was spent of any one record. */
  readonly spent_rho: RhoView;
  /** With and without differential privacy. */
  readonly rounds: number;
  readonly unprotected_rounds: number;
  readonly caps: CapsView;
  readonly accounts: readonly AccountView[];
  /** In the order they were charged; one with `rho` null had no differential privacy. */
  readonly entries: readonly LedgerEntryView[];
}

/** Rounds that are still to be charged. */
export interface ComingRounds {
  /** Of each of them. */
  readonly cost: Omit<Cost, 'dataset'>;
  /** At least 0. */
  readonly rounds: number;
}

/** An account to be shown although nothing may have been spent of it. */
export interface KnownAccount {
  readonly dataset: string;
  readonly unit: PrivacyUnit;
}

/** The statement of a ledger with these entries. */
export function ledgerStatement(
  entries: readonly LedgerEntry[],
  caps: Caps,
  known: readonly KnownAccount[] = [],
): LedgerStatement {
  const rhos = entries.flatMap(({ rho }) => (rho === null ? [] : [rho]));
  return {
    spent_rho: rhoView(composeRho(rhos)),
    rounds: entries.length,
    unprotected_rounds: entries.length - rhos.length,
    caps: capsView(caps),
    accounts: accountsOf(entries, known).map((account) => accountView(entries, caps, account)),
    entries: entries.map(({ rho, ...entry }) => ({ ...entry, rho: rho === null ? null : rhoView(rho) })),
  };
}

/** Caps as they are shown. */
export function capsView({ rhoPerRound, rhoTotal, target }: Caps): CapsView {
  return {
    rho_per_round: rhoPerRound === undefined ? null : atMost(rhoPerRound),
    rho_total: rhoTotal === undefined ? null : atMost(rhoTotal),
    epsilon: target?.epsilon ?? null,
    delta: target?.delta ?? null,
  };
}

interface Account {
  readonly dataset: string | null;
  readonly unit: PrivacyUnit;
}

/** Every account that is known or was charged, each once. What counts for every data set is shown by itself where none is known. */
function accountsOf(entries: readonly LedgerEntry[], known: readonly KnownAccount[]): Account[] {
  const found = new Map<string, Account>();
  const add = (dataset: string | null, unit: PrivacyUnit): void => {
    found.set(JSON.stringify([dataset, unit]), { dataset, unit });
  };
  for (const { dataset, unit } of known) add(dataset, unit);
  for (const { dataset, unit } of entries) if (dataset !== null) add(dataset, unit ?? 'record');
  const datasets = new Set([...found.values()].map(({ dataset }) => dataset));
  for (const { dataset, unit } of entries)
    if (dataset === null) for (const each of datasets.size === 0 ? [null] : datasets) add(each, unit ?? 'record');
  return [...found.values()];
}

/** An account as it will be once these rounds are charged to it too, by the same arithmetic. */
export function accountAfter(
  entries: readonly LedgerEntry[],
  caps: Caps,
  account: KnownAccount,
  coming: ComingRounds,
): AccountView {
  return accountView(entries, caps, account, coming);
}

const nothingComing: ComingRounds = { cost: { rho: null, unit: null, neighbours: null, sampling: null }, rounds: 0 };

function accountView(
  entries: readonly LedgerEntry[],
  caps: Caps,
  { dataset, unit }: Account,
  { cost, rounds: more }: ComingRounds = nothingComing,
): AccountView {
  const charged = entries.filter((entry) => isCharged(entry, dataset, unit));
  const isProtected = cost.rho !== null && cost.unit === unit && more > 0;
  const unprotected =
    entries.filter((entry) => isCharged(entry, dataset, null)).length + (cost.rho === null ? more : 0);
  const after = isProtected ? roundsOf({ rho: cost.rho, sampling: cost.sampling ?? 1 }, more) : NO_ROUNDS;
  const spent = compose([spentOn(charged), after]);
  const left = leftOf(caps, spent);
  const delta = caps.target?.delta;
  const epsilon = (of: Composition): number | null => {
    if (delta === undefined || unprotected > 0) return null;
    const found = epsilonOf(of, delta).epsilon;
    return Number.isFinite(found) ? found : null;
  };
  const leftAmount = (rho: RhoView): Amount => ({
    rho,
    epsilon: epsilon({ rho: rationalFromNumber(rho.value), sampled: [] }),
  });
  const all = [...charged, ...(isProtected ? [cost] : [])];
  const substitution = all.every(({ neighbours }) => neighbours === 'substitution');
  return {
    dataset,
    unit,
    neighbours: all.length === 0 ? null : substitution ? 'substitution' : 'zero-out',
    rounds: charged.length + (isProtected ? more : 0),
    unprotected_rounds: unprotected,
    spent: { rho: rhoView(rhoOf(spent)), epsilon: epsilon(spent) },
    left: left === undefined ? null : leftAmount(atMost(left)),
  };
}

/** A ρ that is spent, as it is shown. */
export function rhoView(value: Rational): RhoView {
  return { ...fraction(value), value: toNumberAbove(value) };
}

function atMost(value: Rational): RhoView {
  // The least double above −ρ; + 0 so that nothing left is no −0.
  return { ...fraction(value), value: -toNumberAbove(multiplyRationals(rational(-1n), value)) + 0 };
}

function fraction({ numerator, denominator }: Rational): Pick<RhoView, 'numerator' | 'denominator'> {
  return { numerator: String(numerator), denominator: String(denominator) };
}
