/**
 * Tails and quantiles of Student's t and of the normal distribution, which is t with infinitely many degrees of freedom.
 *
 * P(|T| > t) with ν degrees of freedom is the regularised incomplete beta function I_x(ν/2, 1/2) at x = ν/(ν + t²) (NIST Digital Library of
 * Mathematical Functions, 8.17), by its continued fraction (8.17.22) from whichever end it converges from. The beta function in it needs
 * Γ(a + ½)/Γ(a) alone, which has a series in 1/a (5.11.13) and a recurrence to where that is good to the last digits.
 */
import { leastWhere } from '../../privacy/accounting/bisection.ts';
import { normalTail } from '../../privacy/accounting/normal-distribution.ts';

/** From here on tails of t and of the normal distribution differ by less (some t⁴/4ν of themselves) than rounding makes of the fraction. */
const asGoodAsNormal = 1e8;

/** P(|T| > |t|). @param degrees of freedom, above 0; infinite: the normal distribution */
export function twoSidedTail(t: number, degrees: number): number {
  if (Number.isNaN(t)) return Number.NaN;
  const magnitude = Math.abs(t);
  if (degrees >= asGoodAsNormal) return 2 * normalTail(magnitude);
  const square = magnitude * magnitude;
  if (square === Number.POSITIVE_INFINITY) return 0;
  return incompleteBeta(degrees / 2, 0.5, degrees / (degrees + square), square / (degrees + square));
}

/** The t with P(|T| ≤ t) = level. @param level above 0, below 1 */
export function twoSidedQuantile(level: number, degrees: number): number {
  const outside = 1 - level;
  return leastWhere((t) => twoSidedTail(t, degrees) <= outside, { start: 2, tolerance: 1e-14 }) ?? Infinity;
}

/** I_x(a, b). @param y 1 − x, given because it may be far smaller than what x is rounded by; one of a and b is 1/2 */
function incompleteBeta(a: number, b: number, x: number, y: number): number {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const isNear = x < (a + 1) / (a + b + 2);
  return isNear ? fromBelow(a, b, x, y) : 1 - fromBelow(b, a, y, x);
}

/** x^a·y^b / (a·B(a, b)) times the continued fraction, which converges fast for x < (a + 1)/(a + b + 2). */
function fromBelow(a: number, b: number, x: number, y: number): number {
  const power = Math.exp(a * logOf(x, y) + b * logOf(y, x));
  return (power * betaReciprocal(b === 0.5 ? a : b) * continuedFraction(a, b, x)) / a;
}

/** ln x, by what it lacks of 1 where that is little. */
function logOf(x: number, lacking: number): number {
  return lacking < 0.5 ? Math.log1p(-lacking) : Math.log(x);
}

/** 1 / B(a, ½) = Γ(a + ½) / (Γ(a)·√π). */
function betaReciprocal(a: number): number {
  let [shifted, factor] = [a, 1];
  // Γ(a + ½)/Γ(a) = (a / (a + ½)) · Γ(a + 1 + ½)/Γ(a + 1)
  for (; shifted < 40; shifted += 1) factor *= shifted / (shifted + 0.5);
  const u = 1 / shifted;
  const series =
    1 + u * (-1 / 8 + u * (1 / 128 + u * (5 / 1024 + u * (-21 / 32768 + u * (-399 / 262144 + (u * 869) / 4194304)))));
  return (factor * Math.sqrt(shifted) * series) / Math.sqrt(Math.PI);
}

/** By Lentz's method in the form of Thompson and Barnett (1986). */
function continuedFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m < 100_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    const before = result;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      result *= d * c;
    }
    if (Math.abs(result - before) <= 1e-16 * Math.abs(result)) break;
  }
  return result;
}
