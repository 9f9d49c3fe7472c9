/** A contribution of 1000 values whose randomness was computed ahead, beside one that computes it when it is due. */
import { createPlan } from '../../src/encoding/plan.ts';
import type { BackendName } from '../../src/paillier/backend.ts';
import type { Decryptor } from '../../src/paillier/decryptor.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import { openVector, sealVector } from '../../src/pipeline.ts';
import { timed, VALUE_BITS, vectorOf } from './contender.ts';
import { expect, median } from './measure.ts';

export interface AheadRow {
  readonly operation: 'seal';
  readonly backend: BackendName;
  readonly key_bits: number;
  readonly values: number;
  readonly ciphertexts: number;
  /** Encryptor.prepareNext, between contributions. */
  readonly ahead_ms: number;
  /** The contribution after that, and without. */
  readonly warm_ms: number;
  readonly cold_ms: number;
  readonly faster_by: number;
}

const values = 1000;

export async function measureAhead(encryptor: Encryptor, decryptor: Decryptor, rounds: number): Promise<AheadRow> {
  const { publicKey, backend } = encryptor;
  const keyBits = publicKey.n.toString(2).length;
  const bound = 2n ** BigInt(VALUE_BITS);
  const plan = createPlan({ keyBits, length: values, owners: 3, maxWeight: 1n, valueBound: bound, scale: 1 });
  const vector = { weight: 1n, values: vectorOf(0, values) };
  const seal = (): number => {
    const [sealed, elapsed] = timed(() => sealVector(plan, encryptor, vector));
    expect(
      openVector(plan, decryptor, sealed, 1).values.every((value, at) => value === vector.values[at]),
      'seal',
    );
    return elapsed;
  };
  const times: { readonly ahead: number; readonly warm: number; readonly cold: number }[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const cold = seal();
    const started = performance.now();
    await encryptor.prepareNext(plan.ciphertexts);
    const ahead = performance.now() - started;
    const { ready } = encryptor;
    expect(ready >= plan.ciphertexts, 'computing ahead');
    const warm = seal();
    expect(encryptor.ready === ready - plan.ciphertexts, 'using what was computed ahead');
    // What was made beyond that, since it cost no more, would make the next cold one warmer.
    while (encryptor.ready > 0) encryptor.encrypt(0n);
    if (round > 0) times.push({ ahead, warm, cold });
  }
  const [warm, cold] = [median(times.map((time) => time.warm)), median(times.map((time) => time.cold))];
  return {
    operation: 'seal',
    backend: backend.name,
    key_bits: keyBits,
    values,
    ciphertexts: plan.ciphertexts,
    ahead_ms: Number(median(times.map((time) => time.ahead)).toPrecision(4)),
    warm_ms: Number(warm.toPrecision(4)),
    cold_ms: Number(cold.toPrecision(4)),
    faster_by: Number((cold / warm).toPrecision(3)),
  };
}
