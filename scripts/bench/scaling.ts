/** Which sizes are measured, and the exponents that follow. */
import { fitPower, type Power } from './fit.ts';
import { type Point, type PointFigures, parties } from './scaling-point.ts';

/** What grows. */
export const sweeps = ['values', 'owners', 'key_bits'] as const;
export type Sweep = (typeof sweeps)[number];

export interface ScalingSizes {
  readonly values: readonly number[];
  readonly owners: readonly number[];
  readonly key_bits: readonly number[];
  /** The sizes that stay where another grows. */
  readonly fixed: Readonly<Record<Sweep, number>>;
}

export const wholeSizes: ScalingSizes = {
  values: [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
  owners: [3, 10, 30, 100],
  key_bits: [2048, 3072, 4096],
  fixed: { values: 100_000, owners: 10, key_bits: 2048 },
};

export const quickSizes: ScalingSizes = {
  values: [1000, 4000, 16_000],
  owners: [3, 30],
  key_bits: [2048, 3072],
  fixed: { values: 4000, owners: 3, key_bits: 2048 },
};

export interface Growth {
  readonly party: Point['party'];
  /** With what it grows. */
  readonly with: Sweep;
  readonly of: 'time' | 'memory';
  readonly points: number;
  /** Null where there are not two points to fit, or not three to tell the error. */
  readonly exponent: number | null;
  readonly error: number | null;
}

/**
 * Memory counts where a process took more than this for its work: what is less is lost in what the garbage collector leaves to chance.
 */
const worthFitting = 4e6;

/** The points of a sweep: one size grows, the others stay. A party and its sizes may be in several sweeps, and is measured once. */
export function pointsOf(sweep: Sweep, sizes: ScalingSizes): Point[] {
  return parties.flatMap((party) => sizes[sweep].map((size) => ({ party, ...sizes.fixed, [sweep]: size })));
}

export function keyOf({ party, key_bits, owners, values }: Point): string {
  return [party, key_bits, owners, values].join(' ');
}

/** @param figures of all points of all sweeps */
export function growths(sizes: ScalingSizes, figures: ReadonlyMap<string, PointFigures>): Growth[] {
  return sweeps.flatMap((sweep) =>
    parties.flatMap((party) => {
      const points = pointsOf(sweep, sizes)
        .filter((point) => point.party === party)
        .map((point) => figures.get(keyOf(point)))
        .filter((found) => found !== undefined);
      const times = points.map((point) => [point[sweep], point.cpu_ms] as const);
      const memory = points.map((point) => [point[sweep], point.peak_bytes - point.prepared_bytes] as const);
      return [
        growth(party, sweep, 'time', times),
        growth(
          party,
          sweep,
          'memory',
          memory.filter(([, bytes]) => bytes > worthFitting),
        ),
      ];
    }),
  );
}

function growth(
  party: Point['party'],
  sweep: Sweep,
  of: Growth['of'],
  points: readonly (readonly [number, number])[],
): Growth {
  const power: Power | undefined = points.length < 2 ? undefined : fitPower(points);
  return {
    party,
    with: sweep,
    of,
    points: points.length,
    exponent: power === undefined ? null : Number(power.exponent.toFixed(3)),
    error: power === undefined || points.length < 3 ? null : Number(power.error.toFixed(3)),
  };
}

/** Such as `time ~ values^0.99 ± 0.01`. */
export function growthInWords({ of, with: sweep, exponent, error, points }: Growth): string {
  if (exponent === null) return `${of}: less than ${worthFitting / 1e6} MB, whatever the ${sweep}`;
  const spread = error === null ? `, of ${points} points` : ` ± ${error.toFixed(2)}`;
  return `${of} ~ ${sweep}^${exponent.toFixed(2)}${spread}`;
}
