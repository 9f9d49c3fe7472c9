/** What a job asks of a data owner, as text for a terminal: names in it are whatever the model owner chose. */
import type { JobRequest, RequestedPrivacy } from '../http/job-request.ts';
import type { AccountView } from '../privacy/ledger-statement.ts';
import { printable } from './printable.ts';

/** Names of values in one line. */
const mostNames = 12;

export function requestText(request: JobRequest): string {
  const { asked_by, release, plan, budget, deadline, receives } = request;
  const others = request.roster.length - 1;
  const lines: readonly (readonly [string, string])[] = [
    ['job', request.job + (request.name === null ? '' : ` (${request.name})`)],
    ['digest', request.job_digest],
    ['status', request.status === 'asking' ? 'waits for a person' : request.status],
    ['asked by', `${asked_by.model_owner}, key ${asked_by.fingerprint}`],
    ['answer until', `${deadline.until}, then it begins without this owner or gives up`],
    ['model', `${request.model_type}, ${visibility(request)}`],
    ['data set', `${request.dataset}${recordsText(request)}`],
    ...request.columns.map(
      ({ name, col_idx, use, type, values }) => [use, `${name ?? `column ${col_idx}`}: ${type}, ${values}`] as const,
    ),
    ['rounds', `${request.rounds} at most${request.rounds_charged === 0 ? '' : `, ${request.rounds_charged} charged`}`],
    [
      'released',
      `each round, only the sum over all contributors: their number, the weight of their records, and ${release.values} values`,
    ],
    ...sumLines(release.sums),
    ...closingLines(release.closing),
    ['to', `${release.to}, by way of ${release.through.join(', ')}, which sees no value`],
    ['together with', `${others} other owners on the roster, at least ${request.quorum} in every sum`],
    ['received', `${receives.parameters} parameters before every round${receives.encrypted ? ', encrypted' : ''}`],
    ['privacy', privacyText(request.privacy)],
    ['ledger now', accountText(budget.before)],
    ['ledger after', accountText(budget.after)],
    ['bytes', `${plan.bytes_per_round} a round in ${plan.ciphertexts} ciphertexts of a key of ${plan.key_bits} bits`],
    ...request.does_not_protect_against.map((each) => ['no help against', each] as const),
    ...(request.refused === null ? [] : [['the policy', `would refuse it now: ${request.refused}`] as const]),
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines
    .map(([label, text], index) => (lines[index - 1]?.[0] === label ? '' : label).padEnd(width + 2) + printable(text))
    .join('\n');
}

function sumLines(sums: JobRequest['release']['sums']): (readonly [string, string])[] {
  return sums.map(({ kind, values, names }) => [kind, namesText(values, names)]);
}

function closingLines(closing: JobRequest['release']['closing']): (readonly [string, string])[] {
  if (closing === null) return [];
  const { values, sums, parameters } = closing;
  return [
    [
      'and at the end',
      `one round more, after which this owner contributes to none: ${values} values; ${parameters} parameters come before it`,
    ],
    ...sumLines(sums),
  ];
}

function visibility({ model_visibility }: JobRequest): string {
  return model_visibility === 'encrypted'
    ? 'with parameters that only the model owner sees'
    : 'with parameters that all owners see';
}

function recordsText({ records, dropped }: JobRequest): string {
  if (records === null) return '';
  const left = dropped === null || dropped === 0 ? '' : `, ${dropped} left out`;
  return `, ${records} records${left} (told to nobody)`;
}

function namesText(values: number, names: readonly string[]): string {
  const shown = names.slice(0, mostNames).join(', ');
  return values > 1 || names.length !== 1 ? `${values} values: ${shown}${values > mostNames ? ', …' : ''}` : shown;
}

function privacyText(privacy: RequestedPrivacy | null): string {
  if (privacy === null) return 'none: no differential privacy, the sums are exact';
  const { unit, neighbours, place, per_round, total } = privacy;
  const epsilon = total.epsilon === null ? '' : `, epsilon ${total.epsilon} with delta ${total.delta}`;
  return `rho ${per_round.rho.value} a round, ${total.rho} in all${epsilon}; hides one ${unit} (${neighbours}), noise by the ${place}`;
}

function accountText({ spent, left, unprotected_rounds }: AccountView): string {
  const epsilon = spent.epsilon === null ? '' : ` (epsilon ${spent.epsilon})`;
  const rest = left === null ? 'not limited' : `rho ${left.rho.value} left`;
  const plain = unprotected_rounds === 0 ? '' : `, ${unprotected_rounds} rounds without differential privacy`;
  return `rho ${spent.rho.value} spent${epsilon}, ${rest}${plain}`;
}
