import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { coefficientTable } from '../../src/cli/coefficient-table.ts';
import type { TrainedModel } from '../../src/http/model-owner-client.ts';

const test = suite('the table of coefficients');

const trained = {
  cost: 5.968,
  metrics: { mse: 5.968, r2: 0.8268 },
  privacy: { guarantee: 'no differential privacy' },
} as Pick<TrainedModel, 'cost' | 'metrics' | 'privacy'>;

test('has errors, intervals and p-values beside each coefficient', () => {
  const parameters = {
    columns: ['intercept', 'wt'],
    coefficients: [37.227270116, -3.877830742],
    standard_errors: [1.598787538, 0.632733494],
    intervals: { level: 0.95, lower: [33.9574, -5.17191], upper: [40.4972, -2.58375] },
    p_values: [2.57e-20, 1.1196e-6],
    degrees_of_freedom: 29,
    residual_standard_error: 2.593411777,
  };
  assert.equal(
    coefficientTable({ ...trained, parameters }),
    `
column     coefficient  ± standard error         95 % interval           p
intercept      37.2273             ± 1.6    33.9574 to 40.4972     < 2e-16
wt            -3.87783           ± 0.633  -5.17191 to -2.58375  0.00000112

residual standard error 2.59341 on 29 degrees of freedom

cost 5.968, mse 5.968, r2 0.8268

no differential privacy`.trimStart(),
  );
});

test('has a column for every class of a softmax model, and says why there are no errors', () => {
  const parameters = {
    columns: ['intercept', 'wt'],
    coefficients: [
      [1, 2],
      [3, 4],
    ],
    classes: ['a', 'b'],
    inference_unavailable: 'it was not asked for',
  };
  assert.equal(
    coefficientTable({ ...trained, parameters }),
    `
column     a  b
intercept  1  3
wt         2  4

no standard errors: it was not asked for

cost 5.968, mse 5.968, r2 0.8268

no differential privacy`.trimStart(),
  );
});

test.run();
