/** Cards of models that are not as ordinary as those of whole trainings, and what names in them may look like. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type ModelCard, modelCard } from '../../../parties/model-owner/model-card.ts';
import { modelCardText } from '../../../parties/model-owner/model-card-text.ts';
import type { FinishedModel } from '../../../parties/model-owner/predictions.ts';
import type { ReportedParameters } from '../../../src/learning/inference/standard-errors.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { privacyStatement } from '../../../src/privacy/statement.ts';
import { ownerIdSchema } from '../../../src/protocol/identifiers.ts';
import type { RoundReport } from '../../../src/storage/model-store.ts';

const test = suite('model cards');

const record: FinishedModel = {
  id: '0b7c9a52-6d0e-4c8f-9a51-2f4f0e8f7f11',
  model: parseModel({
    name: '# <b>stay</b>\n| x |',
    model_type: 'LOGISTIC_REGRESSION',
    data_props: {
      dataset: 'trial_2026.csv',
      features: [
        { name: 'age|years', type: 'continuous', range: [0, 100], within: [-1, 120], description: 'at `admission`' },
        { name: 'ward', type: 'nominal', levels: ['*north*', '[south](x)'], missing: '*north*' },
        { name: 'grade', type: 'ordinal', levels: ['low', 'high'], missing: 'drop' },
      ],
      target: { name: 'stays', levels: ['no', 'yes'] },
    },
  }),
  status: 'finished',
  createdAt: 0,
  endedAt: 1000,
  owners: [
    { owner: ownerIdSchema.parse('anna'), status: 'ready' },
    { owner: ownerIdSchema.parse('bert'), status: 'withdrawn', reason: 'the cap is \u001B[31mreached' },
    { owner: ownerIdSchema.parse('carl'), status: 'ready' },
  ],
  updates: 2,
  plannedUpdates: 2,
  privacy: privacyStatement(undefined, 0),
  parameters: [0, 1, 2, 3],
};

const rounds: readonly RoundReport[] = [
  { round: 1, contributors: 3, seconds: 1, bytes: 10 },
  { round: 2, contributors: 2, seconds: 1, bytes: 10, digests: { round: 'aa', manifest: 'bb', aggregate: 'cc' } },
];
const parameters: ReportedParameters = {
  columns: ['intercept', 'age|years', 'ward=[south](x)', 'grade'],
  coefficients: [0.5, -1, 2, 1 / 3],
  classes: ['no', 'yes'],
};

function linesOf(card: ModelCard): string[] {
  return modelCardText(card).split('\n');
}

function has(lines: readonly string[], ...expected: readonly string[]): void {
  for (const line of expected) assert.ok(lines.includes(line), `${line}\n\n${lines.join('\n')}`);
}

test('nothing in a name, level or description is markup', () => {
  const lines = linesOf(modelCard(record, rounds, parameters, 'sealsum 0.1.0'));
  has(
    lines,
    '# Model card: \\# \\<b\\>stay\\</b\\> \\| x \\|',
    '- Data set: trial\\_2026.csv',
    '| age\\|years | feature | continuous | 0 to 100; accepted from -1 to 120 | refused | at \\`admission\\` |',
    '| ward | feature | nominal | \\*north\\*, \\[south\\](x) | replaced by \\*north\\* |  |',
    '| grade | feature | ordinal | low, high | record left out |  |',
    '| stays | target | nominal | no, yes | refused |  |',
  );
});

test('says who was missing, in which rounds how many were there, and what an older version did not keep', () => {
  const card = modelCard(record, rounds, parameters, 'sealsum 0.1.0');
  const lines = linesOf(card);
  has(
    lines,
    '| bert | withdrawn: the cap is \uFFFD\\[31mreached |',
    '2 to 3 of 3 contributed to a round; with fewer than 2 there would have been no sum.',
    '| 1 | 3 | not kept | not kept | not kept |',
    '| 2 | 2 | aa | bb | cc |',
    'Metrics stay with each data owner.',
    '- How well it fits is known to each data owner for its own records only.',
    '- Records of bert may be missing from it, or from its last rounds.',
    '- Not all rounds had the same contributors: from 2 to 3 of them.',
    '- Missing values in some columns were replaced by a declared one, as if it had been measured.',
    '- Records with missing values in columns that say "drop" were left out; what is true of them may differ.',
  );
  assert.deepEqual(
    card.rounds.map(({ digests }) => digests),
    [undefined, { round: 'aa', manifest: 'bb', aggregate: 'cc' }],
  );
});

test('shows how sure coefficients are where that is known', () => {
  const plain = linesOf(modelCard(record, rounds, parameters, 'sealsum 0.1.0'));
  has(plain, '| column | coefficient |', '| grade | 0.33333333 |');
  const sure: ReportedParameters = {
    ...parameters,
    standard_errors: [0.1, 0.2, 0.3, 0.4],
    intervals: { level: 0.95, lower: [0, -2, 1.5, 0], upper: [1, 0, 2.5, 1] },
  };
  has(
    linesOf(modelCard(record, rounds, sure, 'sealsum 0.1.0')),
    '| column | coefficient | standard error | 95 % interval |',
    '| age\\|years | -1 | 0.2 | -2 to 0 |',
    '| ward=\\[south\\](x) | 2 | 0.3 | 1.5 to 2.5 |',
  );
  const unsure = { ...parameters, inference_unavailable: 'the *training* has not come to its end' };
  has(
    linesOf(modelCard(record, rounds, unsure, 'sealsum 0.1.0')),
    'No standard errors: the \\*training\\* has not come to its end.',
  );
  const softmax: ReportedParameters = { columns: ['intercept'], coefficients: [[1], [2]], classes: ['a', 'b'] };
  has(
    linesOf(modelCard(record, rounds, softmax, 'sealsum 0.1.0')),
    '| class | column | coefficient |',
    '| b | intercept | 2 |',
  );
});

test('cross-validation and held-out records are told, and then metrics are not called those of the fit', () => {
  const metrics = { loss: 0.5, log_loss: 0.5, validation_loss: 0.75 };
  const crossValidation = {
    folds: [{ metrics: { loss: 0.5 } }, { metrics: { loss: 0.7 } }],
    mean: { loss: 0.6 },
    standard_deviation: { loss: 0.1 },
  };
  const lines = linesOf(
    modelCard({ ...record, metrics, crossValidation, keptUpdate: 1 }, rounds, parameters, 'sealsum 0.1.0'),
  );
  has(
    lines,
    'After 2 updates, of which the parameters after 1 are kept.',
    '| validation_loss | 0.75 |',
    'Cross-validation over 2 folds:',
    '| loss | 0.6 | 0.1 |',
  );
  assert.ok(!lines.some((line) => line.startsWith('- Its metrics are of the records that it was fitted to')));
  const fitted = linesOf(modelCard({ ...record, metrics: { loss: 0.5 } }, rounds, parameters, 'sealsum 0.1.0'));
  assert.ok(fitted.some((line) => line.startsWith('- Its metrics are of the records that it was fitted to')));
});

test.run();
