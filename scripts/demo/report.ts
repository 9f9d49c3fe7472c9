/** What the demo prints for people. */
import { statisticsTables } from '../../src/cli/statistics-tables.ts';
import type { CollectedStatistics } from '../../src/http/model-owner-client.ts';
import type { CrossValidation } from '../../src/learning/cross-validation.ts';
import type { DataUnitParameters } from '../../src/learning/prediction.ts';
import type { StatisticsReport } from '../../src/learning/statistics/report.ts';
import type { PrivacyStatement } from '../../src/privacy/statement.ts';
import type { DemoRun } from './run.ts';

export function printReport(run: DemoRun, pooled: DataUnitParameters, owners: number): void {
  const { parameters, metrics, crossValidation, privacy, predictions } = run;
  const measured = Object.entries({ ...metrics })
    .map(([name, value]: [string, number]) => `${name} ${value.toPrecision(7)}`)
    .join(', ');
  const noised = privacy.guarantee === 'no differential privacy' ? '' : '; from sums with noise';
  const lines = [
    '',
    `${owners} data owners, ${count(run.updates, 'update')} in ${count(run.rounds.length, 'round')}, ${run.secondsInAll.toFixed(1)} s in all`,
    run.cost === null
      ? 'final cost          stays with the data owners'
      : `final cost          ${run.cost.toPrecision(8)} (${measured}${noised})`,
    ...crossValidationLines(crossValidation),
    `bytes sent          ${run.bytesPerOwnerRound} per owner and round`,
    `time per round      ${(run.secondsPerRound * 1000).toFixed(1)} ms (median)`,
    ...privacyLines(privacy),
    '',
    `${'coefficient'.padEnd(36)}${'encrypted'.padStart(18)}${'pooled plaintext'.padStart(18)}`,
    ...coefficientLines(parameters, pooled),
    '',
    `predictions         ${predictions
      .slice(0, 5)
      .map((each) => (typeof each === 'number' ? each.toPrecision(6) : each.class))
      .join(', ')}${predictions.length > 5 ? `, … (${predictions.length} in all)` : ''}`,
  ];
  console.log(lines.join('\n'));
}

/** @param pooled the same of all records in one place, without noise */
export function printStatistics(found: CollectedStatistics, pooled: StatisticsReport): void {
  const { privacy } = found;
  console.log(`\n${statisticsTables(found)}`);
  if (privacy.guarantee === 'no differential privacy') {
    const equal = JSON.stringify({ ...found, ...pooled }) === JSON.stringify(found);
    console.log(`\npooled plaintext    ${equal ? 'gives the same, to the last digit' : 'gives something else'}`);
    return;
  }
  const plain = statisticsTables({ ...found, ...pooled });
  console.log(`\npooled plaintext, without noise\n\n${plain.slice(0, plain.lastIndexOf('\n\n'))}`);
}

function crossValidationLines(crossed: CrossValidation | undefined): string[] {
  if (crossed === undefined) return [];
  const { folds, mean, standard_deviation: deviation } = crossed;
  const { mse = Number.NaN } = mean;
  return [
    `cross-validation    mse ${mse.toPrecision(5)} ± ${(deviation.mse ?? Number.NaN).toPrecision(3)} over ${folds.length} folds`,
  ];
}

function privacyLines(privacy: PrivacyStatement): string[] {
  const lines = [`privacy             ${privacy.guarantee}`];
  if (privacy.guarantee === 'no differential privacy') return lines;
  const { rounds, rho, epsilon, delta } = privacy.spent;
  const inEpsilon = epsilon === null || delta === null ? '' : ` (epsilon ${epsilon.toPrecision(4)}, delta ${delta})`;
  return [
    ...lines,
    `spent               rho ${rho.number.toPrecision(4)}${inEpsilon} per ${privacy.unit}, over ${count(rounds, 'round')}`,
    `does not protect    against ${privacy.does_not_protect_against[0] ?? 'anybody'}`,
  ];
}

function coefficientLines(parameters: DataUnitParameters, pooled: DataUnitParameters): string[] {
  const rows = (each: DataUnitParameters): number[][] =>
    each.classes !== undefined && Array.isArray(each.coefficients[0])
      ? (each.coefficients as number[][])
      : [each.coefficients as number[]];
  const mine = rows(parameters);
  const theirs = rows(pooled);
  return mine.flatMap((row, output) =>
    row.map((value, index) => {
      const column = parameters.columns[index] ?? '';
      const name = mine.length === 1 ? column : `${parameters.classes?.[output] ?? ''}: ${column}`;
      return `${name.padEnd(36)}${number(value)}${number(theirs[output]?.[index] ?? Number.NaN)}`;
    }),
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function number(value: number): string {
  return value.toPrecision(10).padStart(18);
}
