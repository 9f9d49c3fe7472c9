/**
 * Writes examples/NAME/data.csv: records that nobody lived, drawn from the processes below, whose coefficients are known.
 *
 * Usage: node --import tsx examples/generate-data.ts
 *
 * The numbers come from xoshiro128** (Blackman & Vigna 2018, "Scrambled linear pseudorandom number generators") with the
 * seeds below, and from arithmetic that is the same on every machine, so the files come out the same to the last byte.
 * It is good for making up data and for nothing else.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Draws of one seed. */
interface Draw {
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** A whole number from low to high, both included. */
  whole(low: number, high: number): number;
  /** An element; with weights that add up to 1, by those. */
  choice<T>(values: readonly [T, ...T[]], weights?: readonly number[]): T;
  /** Mean 0, standard deviation 1, within ±√12: the sum of four uniforms, near enough to a bell. */
  bell(): number;
}

/** One made-up data set. */
export interface Example {
  readonly name: string;
  /**
   * The coefficients the records are drawn from, by the columns of the fitted model: target units per unit of the column, or
   * log-odds. One list per class for softmax, relative to the first class.
   */
  readonly coefficients: readonly (readonly number[])[];
  /** How far a fit on all records may be off, coefficient by coefficient: four standard errors at this number of records. */
  readonly tolerances: readonly number[];
  readonly header: readonly string[];
  readonly seed: number;
  readonly count: number;
  record(draw: Draw): readonly (string | number)[];
}

/**
 * Days in hospital, by age in years, number of comorbidities, severity of the illness and ward:
 *
 *     stay = 4 + 0.05·age + 0.8·comorbidities + 2.2·severity − 0.7·[medicine] + 1.9·[geriatrics] + 0.6·[cardiology] + error
 *
 * with severity minor 0, moderate 1, major 2, extreme 3, surgery as the reference, and an error of standard deviation 1.
 * One age in fifty is missing, whatever the rest of the record says.
 */
const linear: Example = {
  name: 'linear',
  coefficients: [[4, 0.05, 0.8, 2.2, -0.7, 1.9, 0.6]],
  tolerances: [0.4, 0.005, 0.045, 0.11, 0.3, 0.3, 0.3],
  header: ['age', 'comorbidities', 'severity', 'ward', 'stay'],
  seed: 1,
  count: 1500,
  record(draw) {
    const age = draw.whole(18, 95);
    const comorbidities = draw.whole(0, 8);
    const severity = draw.choice([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1]);
    const ward = draw.choice([0, 1, 2, 3]);
    const forWard = [0, -0.7, 1.9, 0.6][ward] ?? 0;
    const stay = 4 + 0.05 * age + 0.8 * comorbidities + 2.2 * severity + forWard + draw.bell();
    const written = draw.uniform(0, 1) < 0.02 ? 'NA' : age;
    return [
      written,
      comorbidities,
      ['minor', 'moderate', 'major', 'extreme'][severity] ?? '',
      ['surgery', 'medicine', 'geriatrics', 'cardiology'][ward] ?? '',
      stay.toFixed(1),
    ];
  },
};

/**
 * Whether a loan is not paid back, by yearly income in thousands, debt as a share of income, late payments in the last five
 * years, rating and home:
 *
 *     log-odds(default = yes) = −2 − 0.03·income + 3·debt_ratio + 0.4·late_payments + 0.5·rating + 0.3·[mortgage] + 0.9·[rented]
 *
 * with rating A 0 to E 4, and a home of one's own as the reference.
 */
const logistic: Example = {
  name: 'logistic',
  coefficients: [[-2, -0.03, 3, 0.4, 0.5, 0.3, 0.9]],
  tolerances: [0.75, 0.007, 0.7, 0.085, 0.14, 0.5, 0.45],
  header: ['income', 'debt_ratio', 'late_payments', 'rating', 'home', 'default'],
  seed: 2,
  count: 3000,
  record(draw) {
    const income = Math.round(draw.uniform(15, 120) * 10) / 10;
    const debtRatio = Math.round(draw.uniform(0, 1) * 100) / 100;
    const latePayments = draw.whole(0, 8);
    const rating = draw.whole(0, 4);
    const home = draw.choice([0, 1, 2], [0.3, 0.3, 0.4]);
    const forHome = [0, 0.3, 0.9][home] ?? 0;
    const logOdds = -2 - 0.03 * income + 3 * debtRatio + 0.4 * latePayments + 0.5 * rating + forHome;
    const defaults = draw.uniform(0, 1) < 1 / (1 + Math.exp(-logOdds));
    return [
      income,
      debtRatio,
      latePayments,
      ['A', 'B', 'C', 'D', 'E'][rating] ?? '',
      ['own', 'mortgage', 'rented'][home] ?? '',
      defaults ? 'yes' : 'no',
    ];
  },
};

/**
 * How a home is heated, by its electricity in winter and summer (kWh a month), rooms, insulation and place. With gas as the
 * reference:
 *
 *     log-odds(heat pump) = −5 + 0.008·winter − 0.004·summer + 0.1·rooms + 0.8·insulation − 0.3·[town] − 1·[city]
 *     log-odds(district)  = −1 − 0.002·winter + 0.002·summer − 0.2·rooms + 0.1·insulation + 1·[town] + 2·[city]
 *
 * with insulation poor 0, fair 1, good 2, and the country as the reference.
 */
const softmax: Example = {
  name: 'softmax',
  coefficients: [
    [-5, 0.008, -0.004, 0.1, 0.8, -0.3, -1],
    [-1, -0.002, 0.002, -0.2, 0.1, 1, 2],
  ],
  tolerances: [1.3, 0.0014, 0.0028, 0.13, 0.35, 0.85, 0.8],
  header: ['winter_kwh', 'summer_kwh', 'rooms', 'insulation', 'place', 'heating'],
  seed: 3,
  count: 2500,
  record(draw) {
    const winter = draw.whole(100, 1200);
    const summer = draw.whole(50, 400);
    const rooms = draw.whole(1, 8);
    const insulation = draw.whole(0, 2);
    const place = draw.choice([0, 1, 2]);
    const inputs = [1, winter, summer, rooms, insulation, Number(place === 1), Number(place === 2)];
    const powers = softmax.coefficients.map((coefficients) =>
      Math.exp(coefficients.reduce((sum, coefficient, index) => sum + coefficient * (inputs[index] ?? 0), 0)),
    );
    const [heatPump = 0, district = 0] = powers;
    const level = draw.uniform(0, 1 + heatPump + district);
    const heating = level < 1 ? 'gas' : level < 1 + heatPump ? 'heat pump' : 'district';
    return [
      winter,
      summer,
      rooms,
      ['poor', 'fair', 'good'][insulation] ?? '',
      ['country', 'town', 'city'][place] ?? '',
      heating,
    ];
  },
};

/**
 * What a meter reads after a month, in kWh, by floor area in m², residents and the mean temperature outside in °C:
 *
 *     consumption = 250 + 1.5·area + 40·residents − 8·temperature + error
 *
 * with an error of standard deviation 30.
 */
const differentiallyPrivate: Example = {
  name: 'private',
  coefficients: [[250, 1.5, 40, -8]],
  tolerances: [6, 0.035, 1.05, 0.15],
  header: ['area', 'residents', 'temperature', 'consumption'],
  seed: 4,
  count: 5000,
  record(draw) {
    const area = draw.whole(30, 200);
    const residents = draw.whole(1, 6);
    const temperature = Math.round(draw.uniform(-10, 30) * 10) / 10;
    const consumption = 250 + 1.5 * area + 40 * residents - 8 * temperature + 30 * draw.bell();
    return [area, residents, temperature, consumption.toFixed(1)];
  },
};

export const examples: readonly Example[] = [linear, logistic, softmax, differentiallyPrivate];

/** The text of an example's data.csv. */
export function generate(example: Example): string {
  const draw = drawFrom(xoshiro128(example.seed));
  const lines = Array.from({ length: example.count }, () => example.record(draw).join(','));
  return [example.header.join(','), ...lines, ''].join('\n');
}

function drawFrom(next: () => number): Draw {
  const share = (): number => next() / 2 ** 32;
  const uniform = (low: number, high: number): number => low + (high - low) * share();
  return {
    uniform,
    whole: (low, high) => low + Math.floor((high - low + 1) * share()),
    choice(values, weights = values.map(() => 1 / values.length)) {
      let left = share();
      const index = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      // Rounding may leave a sliver above the last weight.
      return values[index] ?? values[0];
    },
    // Four uniforms on [−½, ½) have variance 4/12.
    bell: () => (share() + share() + share() + share() - 2) * Math.sqrt(3),
  };
}

/** Numbers of 32 bits. The state is filled from the seed by a multiplicative congruential generator. */
function xoshiro128(seed: number): () => number {
  let filler = seed;
  const state = Uint32Array.from({ length: 4 }, () => {
    filler = (Math.imul(filler, 1_664_525) + 1_013_904_223) >>> 0;
    return filler;
  });
  const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));
  return () => {
    let [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    state.set([a, b, c, d]);
    return result;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const example of examples) {
    const path = fileURLToPath(new URL(`./${example.name}/data.csv`, import.meta.url));
    const text = generate(example);
    writeFileSync(path, text);
    console.log(`examples/${example.name}/data.csv: ${example.count} records, ${text.length} bytes`);
  }
}
