/**
 * Whatever the model and the records: examples/python reads the same records, comes to the same plan, finds the noise enough, and
 * contributes the same integers as the code of the parties does.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { readTable } from '../../src/learning/table.ts';
import { contribution } from '../../src/learning/task.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import { canonicalDigest } from '../../src/protocol/signed.ts';
import { noiseToWire, termsOf } from '../../src/protocol/terms.ts';
import { planToWire, type WirePlan } from '../../src/protocol/wire-plan.ts';
import { root } from '../support/program.ts';
import { environment, example } from './python-owner.ts';
import { forPython } from './python-world.ts';

const test = suite('examples/python: any model');

const double = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const targets = {
  LINEAR_REGRESSION: { name: 't', range: [0, 10] },
  LOGISTIC_REGRESSION: { name: 't', levels: ['0', '1'] },
  SOFTMAX_REGRESSION: { name: 't', levels: ['0', '1', '2'] },
};
const promise = fc.oneof(
  fc.record({ rho: double(1e-4, 3) }),
  fc.record({ epsilon: double(0.05, 8), delta: fc.integer({ min: 2, max: 10 }).map((digits) => 10 ** -digits) }),
);
const mode = fc.record({
  clip: double(0.01, 3),
  place: fc.constantFrom('model-owner', 'facilitator'),
  unit: fc.constantFrom('record', 'owner'),
  neighbours: fc.constantFrom('zero-out', 'substitution'),
});

/** Numbers a model and its records are made of. */
const recipe = fc.record({
  type: fc.constantFrom('LINEAR_REGRESSION', 'LOGISTIC_REGRESSION', 'SOFTMAX_REGRESSION'),
  low: double(-50, 50),
  width: double(0.1, 200),
  missing: fc.constantFrom('drop', 'middle'),
  levels: fc.constantFrom('nominal', 'ordinal'),
  normal: fc.boolean(),
  rounds: fc.integer({ min: 1, max: 500 }),
  l1: double(0, 2),
  level: maybe(double(0.5, 0.999)),
  start: maybe(double(-1, 1)),
  fractionBits: fc.integer({ min: 16, max: 48 }),
  bits: maybe(fc.constantFrom(8, 16, 24)),
  privacy: maybe(fc.tuple(promise, mode)),
  local: fc.boolean(),
  most: fc.integer({ min: 60, max: 1000 }),
  owners: fc.integer({ min: 2, max: 40 }),
  lineEnd: fc.constantFrom('\n', '\r\n'),
  rows: fc.array(
    fc.record({
      a: fc.oneof({ weight: 9, arbitrary: double(0, 1) }, { weight: 1, arbitrary: fc.constantFrom('', '?', 'NaN') }),
      b: fc.integer({ min: -3, max: 9 }),
      c: fc.constantFrom('x', 'ü', 'NA', '"z, w"', 'null'),
      t: double(0, 1),
    }),
    { minLength: 1, maxLength: 60 },
  ),
  parameters: fc.infiniteStream(double(-1, 1)),
});

type Recipe = typeof recipe extends fc.Arbitrary<infer Value> ? Value : never;

function documentOf(given: Recipe): object {
  const { type, low, width, missing, levels, rounds, bits, privacy, local } = given;
  const high = low + width;
  const solver = type === 'LINEAR_REGRESSION' && given.normal ? 'normal-equations' : 'gradient';
  const gradient = solver === 'gradient';
  const range = privacy === undefined ? { quantization_range: 8 } : {};
  const features = [
    { name: 'a', type: 'continuous', range: [low, high], missing: missing === 'drop' ? missing : low / 2 + high / 2 },
    { name: 'b', type: 'discrete', range: [-3, 9] },
    { name: 'c', type: levels, levels: ['x', 'ü', 'NA', 'z, w'], missing: 'z, w' },
  ];
  return {
    model_type: type,
    data_props: { delimiter: ',', features, target: targets[type] },
    training: gradient
      ? { solver, rounds, l1: given.l1, ...(given.start === undefined ? {} : { initial_parameters: startOf(given) }) }
      : {
          solver,
          ...(given.level !== undefined && privacy === undefined
            ? { inference: { level: given.level } }
            : { l1: given.l1 }),
        },
    encryption: {
      key_bits: 2048,
      fraction_bits: given.fractionBits,
      ...(gradient && bits !== undefined ? { quantization_bits: bits, ...range } : {}),
    },
    participation: { quorum: 2, max_records: given.most },
    ...(privacy === undefined
      ? {}
      : { privacy: { ...privacy[0], ...privacy[1], metrics: gradient && local ? 'local' : 'summed' } }),
  };
}

/** Of the same number everywhere; no owner's vector depends on it. */
function startOf({ type, levels, start = 0 }: Recipe): object {
  const columns = ['intercept', 'a', 'b', ...(levels === 'nominal' ? ['c=ü', 'c=NA', 'c=z, w'] : ['c'])];
  const row = columns.map(() => start);
  const { [type]: target } = targets;
  return {
    columns,
    coefficients: type === 'SOFTMAX_REGRESSION' ? [row, row, row] : row,
    ...('levels' in target ? { classes: target.levels } : {}),
    units: 'scaled',
  };
}

function fileOf({ type, low, width, lineEnd, rows }: Recipe): string {
  const line = ({ a, b, c, t }: Recipe['rows'][number]): string => {
    const age = typeof a === 'string' ? a : Math.min(low + width, low + a * width);
    const levels = type === 'LOGISTIC_REGRESSION' ? 2 : 3;
    const outcome = type === 'LINEAR_REGRESSION' ? 10 * t : Math.min(levels - 1, Math.floor(t * levels));
    // Spaces around a value are cut off; before a quote there may be none.
    return `${age},${b} ,${c.startsWith('"') ? c : ` ${c}`},${outcome}`;
  };
  return `\ufeff${['a,b,c,t', ...rows.map(line), ''].join(lineEnd)}`;
}

interface Case {
  readonly asked: object;
  readonly expected: {
    readonly model_hash: string;
    readonly plan: WirePlan;
    readonly records: number;
    readonly dropped: number;
    readonly weight: string;
    readonly values: readonly string[];
  };
  /** By how many units sums in doubles may differ with the order of their terms. */
  readonly slack: number;
}

/** What is asked of Python, and what it must answer; undefined where the parties would refuse the model or the records. */
async function caseOf(given: Recipe): Promise<Case | undefined> {
  const model = parseModel(documentOf(given));
  const file = fileOf(given);
  try {
    const terms = termsOf(model, given.owners);
    const { task } = terms;
    const records = encodeTable(compileFeatures(model), await readTable({ text: file }, model.data_props));
    const parameters = Float64Array.from(
      { length: task.parameterCount },
      () => given.parameters.next().value as number,
    );
    const { weight, values } = contribution(task, records, parameters);
    const sent = JSON.parse(JSON.stringify(model)) as object;
    const inDoubles = task.clipping === undefined && task.quantising === undefined && task.solver === 'gradient';
    return {
      asked: {
        model: sent,
        file,
        owners: given.owners,
        noise: noiseToWire(model, terms),
        parameters: encodeParameters(parameters),
      },
      expected: {
        model_hash: canonicalDigest(sent),
        plan: planToWire(terms.plan),
        records: records.count,
        dropped: records.dropped,
        weight: String(weight),
        values: values.map(String),
      },
      // n terms of at most 2^5 are added, each sum rounded to 53 bits.
      slack: inDoubles ? records.count ** 2 * 2 ** (5 + task.fractionBits - 53) : 0,
    };
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'plan_unsafe' || code === 'data_invalid' || code === 'number_out_of_bounds') return undefined;
    throw error;
  }
}

forPython(test, (python) => {
  test('computes what the parties compute', async () => {
    const seed = process.env.SEED === undefined ? Date.now() % 1e9 : Number(process.env.SEED);
    const made = await Promise.all(fc.sample(recipe, { seed, numRuns: 200 }).map(caseOf));
    const cases = made.flatMap((each) => (each === undefined ? [] : [each]));
    assert.ok(cases.length > 100, `only ${cases.length} cases with seed ${seed}`);
    const printed = execFileSync(python, [join(root, 'test', 'examples', 'contributions.py'), example], {
      input: JSON.stringify(cases.map(({ asked }) => asked)),
      encoding: 'utf8',
      env: environment,
      maxBuffer: 2 ** 26,
    });
    const found = JSON.parse(printed) as Case['expected'][];
    for (const [index, { asked, expected, slack }] of cases.entries()) {
      const { values = [], ...rest } = found[index] ?? {};
      const said = `with seed ${seed}: ${JSON.stringify(asked)}`;
      const { values: due, ...others } = expected;
      assert.deepEqual(rest, others, said);
      // That clipping or rounding falls the other way, because a double differs in its last place, has a chance of less than 1e-7.
      const apart = due.map((value, position) => Math.abs(Number(BigInt(values[position] ?? '0') - BigInt(value))));
      assert.equal(values.length, due.length, said);
      assert.ok(Math.max(...apart) <= 1 + slack && (slack > 0 || Math.max(...apart) === 0), `${apart.join()} ${said}`);
    }
  });
});

test.run();
