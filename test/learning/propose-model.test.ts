/** Proposals for tables: what is declared, what is left out and warned of, and that a training takes them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { outward, type Proposal, type ProposalOptions, proposeModel } from '../../src/learning/propose-model.ts';
import { readTable } from '../../src/learning/table.ts';
import { root } from '../support/program.ts';
import { withData } from './shared-data.ts';

const test = suite('proposals');

interface Declared {
  readonly header: boolean;
  readonly features: readonly Record<string, unknown>[];
  readonly target: Record<string, unknown>;
}

async function propose(text: string, options: ProposalOptions = {}, header = true): Promise<Proposal & Declared> {
  const proposal = proposeModel(await readTable({ text }, { header }), options);
  return { ...proposal, ...(proposal.model.data_props as Declared) };
}

const codes = ({ warnings }: Proposal): string[] =>
  warnings.map(({ code, column, used }) => `${code} ${column ?? '-'}${used ? '' : ' left out'}`);

/** Trains on all of a file what is proposed for it, and says how well it fits. */
async function fit(text: string, options: ProposalOptions, header = true): Promise<ReturnType<typeof trainPooled>> {
  const { model: document } = await propose(text, options, header);
  const model = parseModel(document);
  const table = await readTable({ text }, model.data_props);
  return trainPooled(model, encodeTable(compileFeatures(model), table));
}

test('columns are declared by what stands in them, and left out where nothing can follow from it', async () => {
  const rows = Array.from({ length: 40 }, (_, index) =>
    [
      1000 + index,
      `name ${index}`,
      'same',
      `2026-01-${String((index % 28) + 1).padStart(2, '0')}`,
      '',
      index === 7 ? 'n.a.!' : index,
      20 + ((index * 7) % 61),
      (0.013 * ((index * 11) % 40)).toFixed(3),
      index % 3 === 0 ? 'NA' : 'abc'[index % 2],
      index % 2,
      index % 2 === 0 ? 'yes' : 'no',
    ].join(','),
  );
  const header = 'id,who,constant,date,empty,mixed,age,ratio,kind,flag,ill';
  const found = await propose([header, ...rows].join('\n'));
  assert.equal(found.model.model_type, 'LOGISTIC_REGRESSION');
  assert.deepEqual(found.features, [
    { name: 'age', type: 'discrete', range: [20, 80] },
    { name: 'ratio', type: 'continuous', range: [0, 0.6] },
    { name: 'kind', type: 'nominal', levels: ['a', 'b'], missing: 'drop' },
    { name: 'flag', type: 'discrete', range: [0, 1] },
  ]);
  assert.deepEqual(found.target, { name: 'ill', type: 'nominal', levels: ['no', 'yes'] });
  assert.deepEqual([found.records, found.dropped], [40, 14]);
  assert.deepEqual(codes(found), [
    'column_identifies id left out',
    'column_identifies who left out',
    'column_constant constant left out',
    'column_dates date left out',
    'column_empty empty left out',
    'column_mixed mixed left out',
    'target_presumed ill',
    'values_missing kind',
    'range_from_data -',
    'levels_from_data -',
  ]);
  // Of what does not fit its place is told, and nothing of itself.
  assert.match(found.warnings[5]?.message ?? '', /that of line 9 is none/);
  assert.doesNotMatch(JSON.stringify(found.warnings), /n\.a\./);
});

test('many levels and rare ones are warned of, more than fit are left out', async () => {
  const rows = Array.from(
    { length: 200 },
    (_, index) => `${index % 30},l${index % 30},l${index % 60},${index === 0 ? 'x' : 'y'},${index % 5}`,
  );
  const found = await propose(['n,some,many,rare,y', ...rows].join('\n'));
  assert.deepEqual(codes(found).slice(0, 4), [
    'levels_many many left out',
    'target_presumed y',
    'levels_many some',
    'levels_rare rare',
  ]);
});

test('the target decides what is fitted, unless that is said too', async () => {
  const text = [
    'x,k,b,c',
    ...Array.from({ length: 30 }, (_, index) => `${index * 1.5},${index % 4},${index % 2},${'abc'[index % 3]}`),
  ].join('\n');
  const typeOf = async (options: ProposalOptions): Promise<unknown> => (await propose(text, options)).model.model_type;
  assert.equal(await typeOf({ target: 'x' }), 'LINEAR_REGRESSION');
  assert.equal(await typeOf({ target: 'b' }), 'LOGISTIC_REGRESSION');
  assert.equal(await typeOf({ target: '2' }), 'LOGISTIC_REGRESSION');
  assert.equal(await typeOf({ target: 'c' }), 'SOFTMAX_REGRESSION');
  const softmax = await propose(text, { target: 'k', modelType: 'SOFTMAX_REGRESSION', dataset: 'trial.csv' });
  assert.deepEqual(softmax.target.levels, ['0', '1', '2', '3']);
  assert.equal((softmax.model.data_props as { dataset?: string }).dataset, 'trial.csv');
  await assert.rejects(propose(text, { target: 'none' }), { code: 'message_invalid', field: 'target' });
  await assert.rejects(propose(text, { target: 'c', modelType: 'LINEAR_REGRESSION' }), /target of numbers/);
  await assert.rejects(propose(text, { target: 'c', modelType: 'LOGISTIC_REGRESSION' }), /2 classes, and there are 3/);
  await assert.rejects(propose('x\n1\n2\n'), /no column but the target x/);
  await assert.rejects(propose('x,y\n1,1\n1,1\n'), /no column can be declared/);
});

test('numbers are told apart by what they are, levels by how they are written, and what is too great is none', async () => {
  const rows = Array.from(
    { length: 12 },
    (_, index) => `${['1', '1.0'][index % 2]},${index % 5},${['0', '1', '1.0'][index % 3]}`,
  );
  const found = await propose(['same,x,flag', ...rows].join('\n'));
  assert.ok(codes(found).includes('column_constant same left out'), codes(found).join());
  // As classes they would be three.
  assert.equal(found.model.model_type, 'LINEAR_REGRESSION');
  await assert.rejects(
    propose(['x,flag', ...rows.map((row) => row.slice(row.indexOf(',') + 1))].join('\n'), {
      modelType: 'LOGISTIC_REGRESSION',
    }),
    /2 classes, and there are 3/,
  );
  const great = await propose(
    ['x,n,y', ...rows.map((_, index) => `${index % 5},${index === 3 ? '1e999' : index % 7},${index % 4}`)].join('\n'),
  );
  assert.ok(codes(great).includes('column_mixed n left out'), codes(great).join());
});

test('columns without a name of their own go by their position', async () => {
  const found = await propose('x,x,,y\n1,2,3,4\n5,7,9,2\n');
  assert.deepEqual(
    [...found.features, found.target].map(({ name, col_idx }) => name ?? col_idx),
    [0, 1, 2, 'y'],
  );
  const bare = await propose('1,2,3\n5,7,9\n', {}, false);
  assert.deepEqual([bare.header, bare.features.map(({ col_idx }) => col_idx), bare.target.col_idx], [false, [0, 1], 2]);
});

test('ranges hold every value, and are not much wider', async () => {
  assert.deepEqual(outward(18.3, 97), [10, 100]);
  assert.deepEqual(outward(0, 60), [0, 60]);
  assert.deepEqual(outward(-0.05, 0.0512), [-0.06, 0.06]);
  assert.deepEqual(outward(0, 1), [0, 1]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }), {
        minLength: 2,
        maxLength: 30,
      }),
      async (values) => {
        const [least, greatest] = [Math.min(...values), Math.max(...values)];
        const [low, high] = outward(least, greatest);
        if (!(greatest > least)) return;
        assert.ok(low <= least && high >= greatest);
        assert.ok(high - low <= 1.5 * (greatest - least), `${low}, ${high} for ${least}, ${greatest}`);
        // Whatever is proposed, a model takes it and reads the file by it.
        const text = ['a,b', ...values.map((value, index) => `${index % 7},${value}`)].join('\n');
        const proposal = await propose(text, { target: 'a' }).catch((error: unknown) => error as Error);
        if (proposal instanceof Error) return;
        const model = parseModel(proposal.model);
        encodeTable(compileFeatures(model), await readTable({ text }, model.data_props));
      },
    ),
  );
});

for (const [name, target] of [
  ['linear', 'stay'],
  ['logistic', 'default'],
  ['private', 'consumption'],
  ['softmax', 'heating'],
] as const)
  test(`examples/${name} trains on what is proposed for it`, async () => {
    const text = readFileSync(join(root, 'examples', name, 'data.csv'), 'utf8');
    const found = await propose(text);
    assert.equal(found.target.name, target);
    const declared = JSON.parse(readFileSync(join(root, 'examples', name, 'model.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    assert.equal(found.model.model_type, declared.model_type);
    const { parameters } = await fit(text, {});
    assert.ok(parameters.every(Number.isFinite) && parameters.some((value) => value !== 0));
  });

withData(test, 'mpg.csv', 'mpg.csv: the fit of what is proposed is that of the reference', async (path) => {
  const text = readFileSync(path, 'utf8');
  const { metrics } = await fit(text, { target: 'mpg' });
  assert.ok(Math.abs((metrics.r2 ?? 0) - 0.8242) < 5e-5, JSON.stringify(metrics));
});

withData(test, 'penguins.csv', 'penguins.csv: a softmax regression, with what is missing dropped', async (path) => {
  const text = readFileSync(path, 'utf8');
  const found = await propose(text, { target: 'species' });
  assert.deepEqual([found.model.model_type, found.records - found.dropped], ['SOFTMAX_REGRESSION', 333]);
  const { metrics } = await fit(text, { target: 'species' });
  assert.ok((metrics.accuracy ?? 0) > 0.97, JSON.stringify(metrics));
});

withData(test, 'digits.csv', 'digits.csv: pixels that never change are left out', async (path) => {
  const text = readFileSync(path, 'utf8').split('\n').slice(0, 400).join('\n');
  const options = { target: 'digit', modelType: 'SOFTMAX_REGRESSION' } as const;
  const found = await propose(text, options);
  assert.ok(codes(found).includes('column_constant pixel_0_0 left out'));
  assert.ok(((await fit(text, options)).metrics.accuracy ?? 0) > 0.9);
});

withData(test, 'diabetes.tsv', 'diabetes.tsv: without a header, by positions', async (path) => {
  const { metrics } = await fit(readFileSync(path, 'utf8'), {}, false);
  assert.ok(Math.abs((metrics.mse ?? 0) - 2859.6904) < 0.01, JSON.stringify(metrics));
});

test.run();
