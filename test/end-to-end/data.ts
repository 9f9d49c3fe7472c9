/** Small data of a known process for each model type, the same at every run, and model.json documents that describe it. */

export interface Sample {
  /** The content of a model.json, without training, encryption and participation. */
  readonly document: {
    readonly model_type: 'LINEAR_REGRESSION' | 'LOGISTIC_REGRESSION' | 'SOFTMAX_REGRESSION';
    readonly data_props: {
      readonly features: readonly Readonly<Record<string, unknown>>[];
      readonly target: Readonly<Record<string, unknown>>;
    };
  };
  readonly header: string;
  readonly rows: readonly string[];
}

const features = [
  { name: 'age', type: 'continuous', range: [0, 100] },
  { name: 'visits', type: 'discrete', range: [0, 10] },
  { name: 'ward', type: 'nominal', levels: ['north', 'south', 'west'] },
] as const;

const species = ['setosa', 'versicolor', 'virginica'] as const;

/** Numbers in [0, 1) that only look random (Park and Miller's generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Rows of age, visits, ward and what `outcome` makes of them: a score, and some noise within [-1, 1). */
function sample(
  model_type: Sample['document']['model_type'],
  target: Readonly<Record<string, unknown>>,
  outcome: (score: number, noise: number) => string,
  count: number,
): Sample {
  const next = numbers(20_240_901);
  const rows = Array.from({ length: count }, () => {
    const age = Math.round(next() * 1000) / 10;
    const visits = Math.floor(next() * 11);
    const ward = features[2].levels[Math.floor(next() * 3)] ?? 'north';
    const score = 0.3 * age - 2 * visits + (ward === 'south' ? 6 : ward === 'west' ? -3 : 0);
    return `${age},${visits},${ward},${outcome(score, 2 * next() - 1)}`;
  });
  return { document: { model_type, data_props: { features, target } }, header: 'age,visits,ward,outcome', rows };
}

export function linearSample(count = 90): Sample {
  const target = { name: 'outcome', range: [-50, 150] };
  return sample('LINEAR_REGRESSION', target, (score, noise) => (40 + score + 3 * noise).toFixed(3), count);
}

export function logisticSample(count = 90): Sample {
  const target = { name: 'outcome', levels: ['no', 'yes'] };
  return sample('LOGISTIC_REGRESSION', target, (score, noise) => (score + 8 * noise > 5 ? 'yes' : 'no'), count);
}

export function softmaxSample(count = 90): Sample {
  const target = { name: 'outcome', levels: species };
  const classOf = (score: number, noise: number): string => {
    const noisy = score + 6 * noise;
    return species[noisy < 0 ? 0 : noisy < 10 ? 1 : 2];
  };
  return sample('SOFTMAX_REGRESSION', target, classOf, count);
}

/** The text of a data file with some of the rows; all of them unless told. */
export function textOf({ header, rows }: Sample, keep: (row: number) => boolean = () => true): string {
  return [header, ...rows.filter((_, index) => keep(index)), ''].join('\n');
}

/** Row 1 to the first owner, row 2 to the second, and so on. */
export function dealtOut(sample: Sample, owners: number): string[] {
  return Array.from({ length: owners }, (_, owner) => textOf(sample, (row) => row % owners === owner));
}
