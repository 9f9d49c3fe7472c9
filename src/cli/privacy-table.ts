/** What every accountant finds for the same rounds: the table and the chart of `sealsum privacy`. */

import { lineChart, type Point } from '../charts/line-chart.ts';
import { SealsumError } from '../errors.ts';
import { ACCOUNTANTS, type Accountant, rhoOfRounds } from '../privacy/accounting/accountants.ts';
import { leastNoiseMultiplier } from '../privacy/accounting/calibrate-noise.ts';
import { toNumberAbove } from '../privacy/rational.ts';
import { numberTable } from './table.ts';

/** The rounds that are asked about, and either the ε they may lose or the noise they have. */
export type Question = {
  readonly delta: number;
  readonly rounds: number;
  readonly sampling: number;
} & ({ readonly epsilon: number } | { readonly noiseMultiplier: number });

/** What one accountant answers. */
export interface Row {
  readonly accountant: Accountant;
  readonly noiseMultiplier: number;
  /** ρ of all rounds, only where the accountant counts in it. */
  readonly rho: number | null;
  /** The Rényi order that ε of all rounds was reached at. */
  readonly order: number | null;
  readonly epsilons: readonly { readonly rounds: number; readonly epsilon: number }[];
}

/** An accountant that has no answer, and why, in a few words. */
export interface Missing {
  readonly accountant: Accountant;
  readonly reason: string;
}

export interface Answers {
  readonly rows: readonly Row[];
  readonly missing: readonly Missing[];
}

/** Asks every accountant. Throws `privacy_invalid` that names what is out of range. */
export function answersTo(question: Question): Answers {
  const { delta, rounds, sampling } = question;
  const rows: Row[] = [];
  const missing: Missing[] = [];
  for (const accountant of ACCOUNTANTS) {
    if (accountant.sampling === 'refused' && sampling < 1) {
      missing.push({ accountant, reason: 'it knows no sampling; see what it says of --sampling 1' });
      continue;
    }
    let noiseMultiplier: number;
    try {
      // The noise that the row before needs is a good guess.
      noiseMultiplier =
        'epsilon' in question
          ? leastNoiseMultiplier(accountant, question, rows.at(-1)?.noiseMultiplier)
          : question.noiseMultiplier;
    } catch (error) {
      if (!(error instanceof SealsumError) || error.field !== 'epsilon' || rows.length === 0) throw error;
      missing.push({
        accountant,
        reason: 'it finds more than this epsilon however much noise there is',
      });
      continue;
    }
    const found = milestones(rounds).map((count) => ({
      rounds: count,
      ...accountant.epsilonOf({ noiseMultiplier, sampling, rounds: count }, delta),
    }));
    rows.push({
      accountant,
      noiseMultiplier,
      rho: accountant.name === 'zcdp' ? toNumberAbove(rhoOfRounds({ noiseMultiplier, sampling, rounds })) : null,
      order: found.at(-1)?.order ?? null,
      epsilons: found.map(({ rounds: count, epsilon }) => ({ rounds: count, epsilon })),
    });
  }
  return { rows, missing };
}

/** 1, 10, 100, … and the last. */
function milestones(rounds: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < rounds; count *= 10) counts.push(count);
  return [...counts, rounds];
}

/** The answers as a table for people, with what each of them is worth. Numbers are rounded against the promise. */
export function tableOf(question: Question, { rows, missing }: Answers): string {
  const counts = milestones(question.rounds);
  const head = ['accountant', 'noise multiplier', 'rho', 'order', ...counts.map((count) => `epsilon after ${count}`)];
  const cells = rows.map(({ accountant, noiseMultiplier, rho, order, epsilons }) => [
    accountant.name,
    shownAbove(noiseMultiplier),
    rho === null ? '-' : shownAbove(rho),
    order === null ? '-' : String(Number(order.toPrecision(4))),
    ...epsilons.map(({ epsilon }) => shownAbove(epsilon)),
  ]);
  return [headline(question), '', numberTable([head, ...cells]), '', ...notes(question, rows, missing)].join('\n');
}

function headline(question: Question): string {
  const { delta, rounds, sampling } = question;
  const given =
    'epsilon' in question
      ? `epsilon ${shown(question.epsilon)}`
      : `noise multiplier ${shown(question.noiseMultiplier)}`;
  const who = sampling < 1 ? `each unit in a round with probability ${shown(sampling)}` : 'each unit in every round';
  return `${given}, delta ${shown(delta)}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, ${who}`;
}

const worth: Readonly<Record<Accountant['name'], string>> = {
  zcdp: "exact; what jobs promise and data owners' ledgers count in",
  rdp: 'integer orders, with Poisson sampling; rounded upwards',
  pld: 'for information only: nearly exact, in floating point, for noise from all real numbers',
  gaussian: 'for information only: exact for noise from all real numbers, which no computer draws',
};

function notes({ sampling }: Question, rows: readonly Row[], missing: readonly Missing[]): string[] {
  const lineOf = (accountant: Accountant, text: string): string => `${accountant.name.padEnd(8)}  ${text}`;
  return [
    ...rows.map(({ accountant }) => {
      const uncounted = accountant.sampling === 'not counted' && sampling < 1;
      return lineOf(accountant, `${worth[accountant.name]}${uncounted ? '. It takes no sampling into account' : ''}`);
    }),
    ...missing.map(({ accountant, reason }) => lineOf(accountant, `not in the table: ${reason}`)),
    'The noise multiplier is the standard deviation of the noise on a sum, divided by the greatest L2 norm a unit adds to it.',
  ];
}

/** As people write it: 0.05, 1e-5. */
function shown(value: number): string {
  return value > 0 && value < 1e-3 ? value.toExponential() : String(value);
}

/** Five digits, rounded upwards. */
function shownAbove(value: number): string {
  const near = Number(value.toPrecision(5));
  if (near >= value) return shown(near);
  const digit = 10 ** (Math.floor(Math.log10(value)) - 4);
  return shown(Number((near + digit).toPrecision(5)));
}

/** The answers as one JSON value. */
export function jsonOf(question: Question, { rows }: Answers): object {
  const { delta, rounds, sampling } = question;
  return {
    delta,
    rounds,
    sampling,
    accountants: rows.map(({ accountant, noiseMultiplier, rho, order, epsilons }) => ({
      accountant: accountant.name,
      informational: !accountant.promise,
      sampling_counted: accountant.sampling === 'counted',
      noise_multiplier: noiseMultiplier,
      rho,
      order,
      epsilons,
    })),
  };
}

/** ε over rounds as an SVG file: a line for each accountant, with the noise it has in the table. */
export function chartOf(question: Question, { rows }: Answers): string {
  const { delta, sampling } = question;
  return lineChart({
    title: `What is lost round by round: delta ${shown(delta)}${sampling < 1 ? `, sampling ${shown(sampling)}` : ''}`,
    axes: { x: 'rounds', y: 'epsilon' },
    lines: rows.map((row) => ({ name: nameOf(row), points: pointsOf(question, row) })),
  });
}

function nameOf({ accountant, noiseMultiplier }: Row): string {
  const note = accountant.promise ? '' : ' (for information)';
  return `${accountant.name}, noise multiplier ${shownAbove(noiseMultiplier)}${note}`;
}

/** Where there is no finite ε there is no point. */
function pointsOf({ delta, rounds, sampling }: Question, { accountant, noiseMultiplier }: Row): Point[] {
  // A privacy loss distribution takes a tenth of a second for each.
  return placesUpTo(rounds, accountant.name === 'pld' ? 30 : 150)
    .map((count) => ({
      x: count,
      y: accountant.epsilonOf({ noiseMultiplier, sampling, rounds: count }, delta).epsilon,
    }))
    .filter(({ y }) => Number.isFinite(y));
}

/** At most so many counts of rounds, from 1 to all, closer at the beginning, where curves bend. */
function placesUpTo(rounds: number, most: number): number[] {
  const places = Array.from({ length: most }, (_, index) => Math.ceil(rounds * ((index + 1) / most) ** 2));
  return [...new Set([1, ...places])];
}
