/**
 * The exact (ε, δ) of continuous Gaussian noise, everybody in every round: what any other accountant of it can reach at best.
 *
 * Balle, Wang 2018, "Improving the Gaussian Mechanism for Differential Privacy", Theorem 8, for one round of noise multiplier
 * 1/μ; k rounds of noise multiplier z are one of z/√k (Dong, Roth, Su 2019, "Gaussian Differential Privacy", Corollary 3.3):
 *
 *     δ(ε) = Φ(μ/2 − ε/μ) − e^ε·Φ(−μ/2 − ε/μ),   μ = √k/z.
 *
 * As it stands the formula cancels where δ is small. With a = ε/μ − μ/2, b = a + μ, the normal density φ, for which
 * e^ε·φ(b) = φ(a), and Mills' ratio R(x) = (1 − Φ(x))/φ(x), it reads φ(a)·(R(a) − R(b)), and both ratios are one integral:
 *
 *     R(x) = ∫ exp(−xt − t²/2) dt,   R(a) − R(b) = ∫ exp(−at − t²/2)·(1 − exp(−μt)) dt,   t = 0 … ∞.
 *
 * It is about noise drawn from all real numbers, which no computer draws: a cross-check of promises, not one.
 */
import { leastWhere } from './bisection.ts';
import { type NoisyRounds, requireDelta, requireInRange, requireNoisyRounds } from './parameters.ts';
import { ROUNDING } from './rounding.ts';

type GaussianRounds = Pick<NoisyRounds, 'noiseMultiplier' | 'rounds'>;

/** The least δ that goes with ε, 0 where it falls below the least double. 0 ≤ ε ≤ 2^64. Rounded upwards; throws `privacy_invalid`. */
export function deltaOfGaussian(rounds: GaussianRounds, epsilon: number): number {
  requireInRange('epsilon', epsilon);
  return Math.min(1, Math.exp(logDelta(muOf(rounds), epsilon)) * (1 + ROUNDING));
}

/** The least ε that goes with δ, to 1e-12 of itself. 0 < δ < 1. Rounded upwards; throws `privacy_invalid`. */
export function epsilonOfGaussian(rounds: GaussianRounds, delta: number): { epsilon: number } {
  requireDelta(delta);
  const mu = muOf(rounds);
  const allowed = Math.log(delta) * (1 + ROUNDING);
  if (logDelta(mu, 0) <= allowed) return { epsilon: 0 };
  // Bun and Steinke's closed form is never far off, and never below.
  const start = (mu * mu) / 2 + mu * Math.sqrt(-2 * Math.log(delta));
  return { epsilon: leastWhere((epsilon) => logDelta(mu, epsilon) <= allowed, { start }) ?? Infinity };
}

/** √k/z, rounded upwards, so that δ is: more μ is more loss. */
function muOf({ noiseMultiplier, rounds }: GaussianRounds): number {
  requireNoisyRounds({ noiseMultiplier, rounds, sampling: 1 });
  return (Math.sqrt(rounds) / noiseMultiplier) * (1 + ROUNDING);
}

/** ln δ(ε), rounded upwards. */
function logDelta(mu: number, epsilon: number): number {
  const [far, near] = [epsilon / mu, mu / 2];
  const a = far - near;
  const b = far + near;
  const logDensity = -(a * a) / 2 - Math.log(2 * Math.PI) / 2;
  // a loses what its two parts round to; its square is in an exponent, and so is what the integral makes of it.
  const lost = ROUNDING * (1 + (1 + Math.abs(a)) * b + (a * a) / 2);
  if (a > -1) return logDensity + Math.log(millsRatioDrop(a, mu)) + lost;
  // Here 1 − δ is the small one: Φ(a) and e^ε·Φ(−b).
  return Math.log1p(-Math.exp(logDensity) * (millsRatio(-a) + millsRatio(b)) * Math.max(0, 1 - lost)) + ROUNDING;
}

/** R(x) for x > −1, to 1e-15 of itself. */
function millsRatio(x: number): number {
  return integral(x, () => 1);
}

/** R(x) − R(x + step) for x > −1 and step > 0, to 4e-15 of itself. */
function millsRatioDrop(x: number, step: number): number {
  // A step much greater than what exp(−xt) falls within would be seen by few of the nodes; then the ratios differ enough.
  if (step > Math.max(1, x)) return millsRatio(x) - millsRatio(x + step);
  return integral(x, (t) => -Math.expm1(-step * t));
}

/**
 * ∫ exp(−xt − t²/2)·factor(t) dt from 0 to ∞ by the trapezium rule in s, t = exp(s − exp(−s)): double-exponential quadrature,
 * Takahasi and Mori 1974. A step of 0.1 leaves 8e-16 of it, as found against 60 digits for x from −1 to 10^4.
 */
function integral(x: number, factor: (t: number) => number): number {
  const scale = 1 / Math.max(1, x);
  let total = 0;
  for (const { node, weight } of nodes) {
    const t = node * scale;
    total += weight * Math.exp(-t * (x + t / 2)) * factor(t);
  }
  return total * scale;
}

/** Beyond these ends, s = −3.6 and 3.7, nothing is left that a double would notice: t is 10^−18 or 39. */
const nodes: readonly { readonly node: number; readonly weight: number }[] = Array.from({ length: 74 }, (_, index) => {
  const s = -3.6 + index / 10;
  const node = Math.exp(s - Math.exp(-s));
  return { node, weight: (node * (1 + Math.exp(-s))) / 10 };
});
