/**
 * What Poisson sampling does to the Rényi divergence of any mechanism, at integer orders.
 *
 * Zhu, Wang, Poisson Subsampled Rényi Differential Privacy (2019), Theorem 5. For the Gaussian itself renyi.ts knows a tighter
 * bound; this one asks nothing of the mechanism but its divergences at every order up to the one wanted.
 */
import { ROUNDING } from './rounding.ts';

/**
 * The divergence of order α with sampling, at most the one without it.
 *
 * `divergence` gives the mechanism's own at each whole order from 2 to `order`; `order` ≥ 2 and 0 < `sampling` ≤ 1.
 */
export function amplifiedDivergence(order: number, sampling: number, divergence: (order: number) => number): number {
  const alone = divergence(order);
  if (sampling === 1) return alone;
  // (α−1)·ε'(α) = ln(w₀ + w₁ + w₂·e^ε(2) + 3·Σ w_l·e^((l−1)·ε(l)), l = 3 … α) with the binomial weights w_l = C(α,l)·q^l·(1−q)^(α−l).
  // These add up to 1, so that it is ln(1 + w₂·(e^ε(2) − 1) + Σ w_l·(3·e^((l−1)·ε(l)) − 1)): nothing cancels where q is small.
  const logOdds = Math.log(sampling) - Math.log1p(-sampling);
  let logWeight = order * Math.log1p(-sampling);
  let greatest = -Infinity;
  const logs: number[] = [];
  for (let l = 1; l <= order; l++) {
    logWeight += Math.log((order - l + 1) / l) + logOdds;
    if (l < 2) continue;
    const times = l === 2 ? 1 : 3;
    const exponent = (l - 1) * divergence(l);
    // ln(times·e^x − 1), without overflow and without losing it where x is small.
    const log =
      logWeight +
      (exponent < 1
        ? Math.log(times * Math.expm1(exponent) + (times - 1))
        : exponent + Math.log(times - Math.exp(-exponent)));
    logs.push(log);
    greatest = Math.max(greatest, log);
  }
  if (greatest === -Infinity) return 0;
  const logSum = greatest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - greatest), 0));
  const total = logSum > 0 ? logSum + Math.log1p(Math.exp(-logSum)) : Math.log1p(Math.exp(logSum));
  return Math.min(alone, (total / (order - 1)) * (1 + order * ROUNDING));
}
