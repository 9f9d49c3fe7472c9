/**
 * How many bytes a value takes on its way to the facilitator: for so many bits of a contribution and so many owners, by the plan of
 * a real job, tags and all. A gradient of 10,001 values and its loss, from at most 2^20 records an owner.
 *
 * Run it: npm run build && node dist/examples/density.js
 */
import { describePlan, type Plan, parseModel, termsOf } from '../src/index.ts';

const features = Array.from({ length: 10_000 }, (_, index) => ({ col_idx: index, type: 'continuous', range: [-1, 1] }));

function planOf(bits: number | undefined, owners: number, keyBits: number): Plan {
  const model = parseModel({
    model_type: 'LINEAR_REGRESSION',
    data_props: { features, target: { col_idx: features.length, range: [-1, 1] } },
    training: { solver: 'gradient' },
    encryption: { key_bits: keyBits, ...(bits === undefined ? {} : { quantization_bits: bits }) },
  });
  return termsOf(model, owners).plan;
}

/** Each of a ciphertext's two halves is as long as the key. */
const bytesOf = ({ ciphertexts, keyBits, length }: Plan): string => ((ciphertexts * keyBits) / 4 / length).toFixed(2);

const crowds = [3, 10, 100];
for (const keyBits of [2048, 3072]) {
  console.log(`${keyBits} bits`.padEnd(22) + crowds.map((owners) => `${owners} owners`.padStart(14)).join(''));
  for (const bits of [undefined, 8, 16, 24, 32]) {
    const cells = crowds.map((owners) => `${bytesOf(planOf(bits, owners, keyBits))} B`.padStart(14));
    console.log((bits === undefined ? 'not quantised' : `${bits} bits`).padEnd(22) + cells.join(''));
  }
}
console.log(`\n16 bits, 10 owners: ${describePlan(planOf(16, 10, 2048))}`);
