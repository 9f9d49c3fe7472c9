import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { amplifiedDivergence } from '../../../src/privacy/accounting/poisson-amplification.ts';
import { sampledGaussianDivergence } from '../../../src/privacy/accounting/renyi.ts';

const test = suite('amplification by poisson sampling');

const someOrder = fc.integer({ min: 2, max: 128 });
const someSampling = fc.double({ min: 1e-6, max: 1, noNaN: true });
const someRho = fc.double({ min: -8, max: 2, noNaN: true }).map((exponent) => 10 ** exponent);

function binomial(n: number, k: number): number {
  let result = 1;
  for (let index = 1; index <= k; index += 1) result *= (n - k + index) / index;
  return result;
}

test('the formula as the paper has it, where that can be computed as it stands', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 12 }),
      fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (order, q, rho) => {
        let sum = (1 - q) ** (order - 1) * (order * q - q + 1);
        sum += binomial(order, 2) * q ** 2 * (1 - q) ** (order - 2) * Math.exp(2 * rho);
        for (let l = 3; l <= order; l += 1) {
          sum += 3 * binomial(order, l) * (1 - q) ** (order - l) * q ** l * Math.exp((l - 1) * l * rho);
        }
        const expected = Math.min(order * rho, Math.log(sum) / (order - 1));
        const found = amplifiedDivergence(order, q, (l) => l * rho);
        assert.ok(Math.abs(found - expected) < 1e-11 * (1 + expected), `${found} against ${expected}`);
      },
    ),
  );
});

test('at most the divergence without sampling, and grows with sampling', () => {
  fc.assert(
    fc.property(someOrder, someSampling, someRho, (order, sampling, rho) => {
      const divergence = (l: number): number => l * rho;
      const found = amplifiedDivergence(order, sampling, divergence);
      assert.ok(found <= order * rho && found >= 0);
      assert.ok(amplifiedDivergence(order, sampling * 0.9, divergence) <= found * (1 + 1e-12));
      assert.equal(amplifiedDivergence(order, 1, divergence), order * rho);
    }),
  );
});

test('never below the exact bound that is known for the Gaussian, and the same at order 2', () => {
  fc.assert(
    fc.property(someOrder, someSampling, someRho, (order, sampling, rho) => {
      const exact = sampledGaussianDivergence(order, Math.sqrt(1 / (2 * rho)), sampling);
      const found = amplifiedDivergence(order, sampling, (l) => l * rho);
      assert.ok(found >= exact * (1 - 1e-9));
      if (order === 2) assert.ok(found <= exact * (1 + 1e-9));
    }),
  );
});

test('what loses nothing loses hardly anything when sampled, and no order overflows', () => {
  assert.equal(
    amplifiedDivergence(2, 0.5, () => 0),
    0,
  );
  assert.equal(amplifiedDivergence(64, 0.5, () => 1e6) <= 1e6, true);
  assert.equal(
    amplifiedDivergence(256, 1e-300, () => 1),
    0,
  );
});

test.run();
