/** A model card as Markdown (CommonMark with tables). */
import type { Feature, Target } from '../../src/learning/fields.ts';
import { fieldName, isNumeric } from '../../src/learning/fields.ts';
import type { ReportedParameters } from '../../src/learning/inference/standard-errors.ts';
import { coefficientRows } from '../../src/learning/prediction.ts';
import type { PrivacyStatement } from '../../src/privacy/statement.ts';
import { type CardRound, contributorsOf, type ModelCard } from './model-card.ts';

export function modelCardText(card: ModelCard): string {
  const { data, settings } = card;
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    [`Model card: ${plain(card.name ?? card.model)}`, about(card)],
    ['Data', dataLines(data.features, data.target)],
    ['Data owners', ownerLines(card)],
    [
      'Training',
      settingLines({
        ...settings.training,
        ...prefixed('encryption', settings.encryption),
        ...prefixed('participation', settings.participation),
      }),
    ],
    ['How well it fits', metricLines(card)],
    ['Privacy', privacyLines(card.privacy, settings.privacy)],
    ['Coefficients', card.parameters === undefined ? hiddenParameters : coefficientLines(card.parameters)],
    ['Rounds', roundLines(card)],
    ['Limitations', card.limitations.map((each) => `- ${each}`)],
  ];
  return sections
    .map(([title, lines], index) => `${index === 0 ? '#' : '##'} ${title}\n\n${lines.join('\n')}\n`)
    .join('\n');
}

function about(card: ModelCard): string[] {
  const encrypted = card.settings.model_visibility === 'encrypted';
  return [
    `- Model: \`${card.model}\``,
    `- Type: ${card.model_type.toLowerCase().replace('_', ' ')}, predicting ${plain(fieldName(card.data.target))}`,
    `- Begun ${card.created_at}, finished ${card.finished_at}, by ${card.program}`,
    `- Fitted to encrypted sums over several data owners; nobody but each owner has seen its records${encrypted ? ', and they have not seen the parameters' : ''}`,
    `- Privacy of the records: ${card.privacy.guarantee}`,
    ...(card.data.dataset === undefined ? [] : [`- Data set: ${plain(card.data.dataset)}`]),
  ];
}

function dataLines(features: readonly Feature[], target: Target): string[] {
  const lines = features.map((feature) => fieldCells(feature, 'feature'));
  return table(
    ['column', 'role', 'type', 'range or levels', 'missing values', 'description'],
    [...lines, fieldCells(target, 'target')],
  );
}

function fieldCells(field: Feature | Target, role: string): string[] {
  const values = isNumeric(field)
    ? `${field.range[0]} to ${field.range[1]}${field.within === undefined ? '' : `; accepted from ${field.within[0]} to ${field.within[1]}`}`
    : field.levels.map(plain).join(', ');
  const { missing } = field;
  const rule =
    missing === 'refuse' ? 'refused' : missing === 'drop' ? 'record left out' : `replaced by ${plain(String(missing))}`;
  return [plain(fieldName(field)), role, field.type, values, rule, plain(field.description ?? '')];
}

function ownerLines({ owners, rounds, settings }: ModelCard): string[] {
  const { least, most } = contributorsOf(rounds);
  const each = least === most ? String(least) : `${least} to ${most}`;
  return [
    ...table(
      ['data owner', 'at last'],
      owners.map(({ owner, status, reason }) => [
        plain(owner),
        plain(reason === undefined ? status : `${status}: ${reason}`),
      ]),
    ),
    '',
    `${each} of ${owners.length} contributed to a round; with fewer than ${settings.participation.quorum} there would have been no sum.`,
  ];
}

function prefixed(prefix: string, settings: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function settingLines(settings: Readonly<Record<string, unknown>>): string[] {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return table(
    ['setting', 'value'],
    given.map(([name, value]) => [plain(name), plain(typeof value === 'string' ? value : JSON.stringify(value))]),
  );
}

function metricLines({ metrics, cross_validation: crossed, kept_update: kept, updates }: ModelCard): string[] {
  const measured = Object.entries(metrics ?? {}) as [string, number][];
  return [
    `After ${updates} update${updates === 1 ? '' : 's'}${kept === undefined ? '' : `, of which the parameters after ${kept} are kept`}.`,
    '',
    ...(measured.length === 0
      ? ['Metrics stay with each data owner.']
      : table(
          ['metric', 'value'],
          measured.map(([name, value]) => [name, number(value)]),
        )),
    ...(crossed === undefined
      ? []
      : [
          '',
          `Cross-validation over ${crossed.folds.length} folds:`,
          '',
          ...table(
            ['metric', 'mean', 'standard deviation'],
            (Object.entries(crossed.mean) as [keyof typeof crossed.mean, number][]).map(([name, mean]) => [
              name,
              number(mean),
              number(crossed.standard_deviation[name] ?? Number.NaN),
            ]),
          ),
        ]),
  ];
}

function privacyLines(privacy: PrivacyStatement, settings: ModelCard['settings']['privacy']): string[] {
  const people = [
    '',
    'It protects against:',
    '',
    ...privacy.protects_against.map((each) => `- ${each}`),
    '',
    'It does not protect against:',
    '',
    ...privacy.does_not_protect_against.map((each) => `- ${each}`),
  ];
  if (privacy.guarantee === 'no differential privacy') return [`**${privacy.guarantee}**`, ...people];
  const { promised, spent, noise } = privacy;
  const loss = ({ rounds, rho, epsilon, delta }: typeof promised): string[] => [
    String(rounds),
    number(rho.number),
    epsilon === null ? 'not chosen' : number(epsilon),
    delta === null ? 'not chosen' : String(delta),
  ];
  return [
    `**${privacy.guarantee}**`,
    '',
    ...table(
      ['', 'rounds', 'rho', 'epsilon', 'delta'],
      [
        ['promised', ...loss(promised)],
        ['spent', ...loss(spent)],
      ],
    ),
    '',
    `- What is hidden: ${privacy.unit === 'record' ? 'one record' : 'all records of one data owner'} (neighbouring data sets by ${privacy.neighbours})`,
    `- Who adds the noise: ${privacy.place}`,
    `- Noise: ${noise.distribution}, variance ${noise.variance} for a sensitivity of ${noise.sensitivity}, in integer units${noise.shares === undefined ? '' : `, at least ${noise.shares} draws in a sum`}`,
    ...(privacy.sampling === undefined
      ? []
      : [`- A ${privacy.unit} takes part in a round with probability ${privacy.sampling}`]),
    ...(settings !== undefined && 'clip' in settings ? [`- Clip: ${settings.clip}`] : []),
    ...people,
  ];
}

const hiddenParameters: readonly string[] = [
  'Not shown: data owners were not to see them (`"model_visibility": "encrypted"`). The model owner has them.',
];

function coefficientLines(parameters: ReportedParameters): string[] {
  const { columns, classes, standard_errors: errors, intervals } = parameters;
  const rows = coefficientRows(parameters);
  const head = [
    ...(rows.length > 1 ? ['class'] : []),
    'column',
    'coefficient',
    ...(errors === undefined ? [] : ['standard error']),
    ...(intervals === undefined ? [] : [`${number(100 * intervals.level)} % interval`]),
  ];
  const cells = rows.flatMap((row, output) =>
    row.map((value, index) => [
      ...(rows.length > 1 ? [plain(classes?.[output] ?? '')] : []),
      plain(columns[index] ?? ''),
      number(value),
      ...(errors === undefined ? [] : [number(errors[index])]),
      ...(intervals === undefined ? [] : [`${number(intervals.lower[index])} to ${number(intervals.upper[index])}`]),
    ]),
  );
  const meaning =
    classes === undefined
      ? "In the target's unit per unit of the column."
      : rows.length > 1
        ? 'In log-odds per unit of the column, for each class.'
        : `In log-odds of ${plain(classes[1] ?? '')} per unit of the column.`;
  const { inference_unavailable: reason } = parameters;
  return [
    `${meaning} The unit of an ordinal column is one level, that of a nominal one being that level and not the first.`,
    '',
    ...table(head, cells),
    ...(reason === undefined ? [] : ['', `No standard errors: ${plain(reason)}.`]),
  ];
}

function roundLines({ rounds, model }: ModelCard): string[] {
  return [
    `Of each round of job \`${model}\`, SHA-256 of its descriptor (which an owner's receipt names), of the manifest that the facilitator signed, and of the aggregate. An owner compares them with \`sealsum verify receipt --json\` and with what it answers at \`/jobs/${model}/receipts\`.`,
    '',
    ...table(['round', 'contributors', 'descriptor', 'manifest', 'aggregate'], rounds.map(roundCells)),
  ];
}

function roundCells({ round, contributors, digests }: CardRound): string[] {
  const kept =
    digests === undefined ? Array<string>(3).fill('not kept') : [digests.round, digests.manifest, digests.aggregate];
  return [String(round), String(contributors), ...kept];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function number(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? 'none' : String(Number(value.toPrecision(8)));
}

/** Text in which nothing is markup, and nothing that a terminal obeys. */
function plain(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/\p{Control}/gu, '\uFFFD')
    .replace(/[\\`*_[\]<>|#~&]/g, (character) => `\\${character}`);
}
