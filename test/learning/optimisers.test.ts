import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { GradientTraining } from '../../src/learning/model.ts';
import { createOptimiser } from '../../src/learning/optimisers.ts';

const test = suite('optimisers');

type Settings = Pick<GradientTraining, 'optimizer' | 'learning_rate' | 'momentum'>;

/** The parameter after each of the gradients, from 1 on. */
function steps(settings: Settings, gradients: readonly number[]): number[] {
  const optimiser = createOptimiser(settings, 1);
  const parameters = Float64Array.of(1);
  return gradients.map((gradient) => {
    optimiser.step(parameters, Float64Array.of(gradient));
    return parameters[0] ?? Number.NaN;
  });
}

function near(seen: readonly number[], expected: readonly number[]): void {
  assert.equal(seen.length, expected.length);
  for (const [index, value] of expected.entries())
    assert.ok(Math.abs((seen[index] ?? 0) - value) < 1e-15, `step ${index}`);
}

test('sgd: θ ← θ − η·g', () => {
  near(steps({ optimizer: 'sgd', learning_rate: 0.1 }, [0.5, -0.25, 0]), [0.95, 0.975, 0.975]);
});

test('momentum: v ← μ·v + g; θ ← θ − η·v', () => {
  // v: 0.5, 0.9·0.5 − 0.25 = 0.2, 0.18
  near(steps({ optimizer: 'momentum', learning_rate: 0.1, momentum: 0.9 }, [0.5, -0.25, 0]), [0.95, 0.93, 0.912]);
  // Without memory it is sgd.
  near(steps({ optimizer: 'momentum', learning_rate: 0.1, momentum: 0 }, [0.5, -0.25]), [0.95, 0.975]);
});

test('adam: bias-corrected moments', () => {
  // Step 1: m̂ = 0.5, v̂ = 0.25.
  // Step 2: m = 0.9·0.05 − 0.1·0.25 = 0.02, m̂ = 0.02/0.19; v = 0.999·0.00025 + 0.001·0.0625 = 0.00031225, v̂ = v/0.001999.
  // Step 3: m = 0.018, m̂ = 0.018/0.271; v = 0.999·0.00031225 = 0.00031193775, v̂ = v/(1 − 0.999³) = v/0.002997001.
  const first = 1 - (0.1 * 0.5) / (0.5 + 1e-8);
  const second = first - (0.1 * (0.02 / 0.19)) / (Math.sqrt(0.00031225 / 0.001999) + 1e-8);
  const third = second - (0.1 * (0.018 / 0.271)) / (Math.sqrt(0.00031193775 / 0.002997001) + 1e-8);
  near(steps({ optimizer: 'adam', learning_rate: 0.1 }, [0.5, -0.25, 0]), [first, second, third]);
});

test('adam: the first step is the learning rate, whatever the size of the gradient', () => {
  for (const gradient of [1e-3, 1, 1e3]) {
    assert.ok(Math.abs((steps({ optimizer: 'adam', learning_rate: 0.1 }, [gradient])[0] ?? 0) - 0.9) < 1e-5);
  }
  assert.deepEqual(steps({ optimizer: 'adam', learning_rate: 0.1 }, [0, 0]), [1, 1]);
});

const settings: Settings[] = [
  { optimizer: 'sgd', learning_rate: 0.3 },
  { optimizer: 'momentum', learning_rate: 0.3, momentum: 0.8 },
  { optimizer: 'adam', learning_rate: 0.3 },
];

test('goes on from its saved state to the last bit', () => {
  const gradients = fc.array(
    fc.tuple(fc.double({ noNaN: true, min: -9, max: 9 }), fc.double({ noNaN: true, min: -9, max: 9 })),
    {
      minLength: 2,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(fc.constantFrom(...settings), gradients, fc.nat(), (chosen, all, cut) => {
      const whole = Float64Array.of(1, -1);
      const broken = Float64Array.of(1, -1);
      const one = createOptimiser(chosen, 2);
      let other = createOptimiser(chosen, 2);
      for (const [index, gradient] of all.entries()) {
        if (index === cut % all.length) {
          other = createOptimiser(
            chosen,
            2,
            JSON.parse(JSON.stringify(other.state())) as ReturnType<typeof other.state>,
          );
        }
        one.step(whole, Float64Array.from(gradient));
        other.step(broken, Float64Array.from(gradient));
      }
      assert.deepEqual(broken, whole);
      assert.deepEqual(other.state(), one.state());
      assert.equal(one.state().steps, all.length);
    }),
  );
});

test('leaves the gradient as it is', () => {
  for (const chosen of settings) {
    const gradient = Float64Array.of(1, 2);
    createOptimiser(chosen, 2).step(Float64Array.of(0, 0), gradient);
    assert.deepEqual(gradient, Float64Array.of(1, 2));
  }
});

test.run();
