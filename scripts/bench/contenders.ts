/** Paillier's contenders: sealsum with one backend, and paillier-bigint with one value in a ciphertext. */
import { createPlan, type Plan } from '../../src/encoding/plan.ts';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { openVector, sealVector } from '../../src/pipeline.ts';
import { type Contender, inTurn, sumInTurn, timed, VALUE_BITS, vectorOf } from './contender.ts';
import { expect } from './measure.ts';

/** @param encryptor with its table: that of every owner and of the facilitator, as tables take no part in what is measured */
export function sealsumContender({ publicKey, privateKey }: KeyPair, encryptor: Encryptor): Contender {
  const { backend } = encryptor;
  const decryptor = createDecryptor(privateKey, { backend });
  const keyBits = publicKey.n.toString(2).length;
  /** The least slots that hold the sum: more owners need wider ones. */
  const planOf = (owners: number, length: number): Plan =>
    createPlan({ keyBits, length, owners, maxWeight: 1n, valueBound: 2n ** BigInt(VALUE_BITS), scale: 1 });
  return {
    implementation: 'sealsum',
    backend: backend.name,
    key_bits: keyBits,
    ciphertexts: (owners, values) => planOf(owners, values).ciphertexts,
    traffic: (owners, values) => {
      const bytes = planOf(owners, values).ciphertexts * ciphertextBytes(publicKey);
      return { contribution: bytes, aggregate: bytes };
    },
    aggregate: (owners, values) => {
      const plan = planOf(owners, values);
      const vectors = [vectorOf(0, values), vectorOf(1, values)] as const;
      const seal = (vector: bigint[]) => timed(() => sealVector(plan, encryptor, { weight: 1n, values: vector }));
      const [[first, firstTime], [second, secondTime]] = [seal(vectors[0]), seal(vectors[1])];
      const contributions = inTurn(owners, [first, second]);
      const [sum, fold_ms] = timed(() => aggregate(encryptor, plan.ciphertexts, contributions));
      const [opened, open_ms] = timed(() => openVector(plan, decryptor, sum, owners));
      expect(
        opened.values.every((value, at) => value === sumInTurn(owners, vectors[0][at] ?? 0n, vectors[1][at] ?? 0n)),
        'aggregate',
      );
      return { seal_ms: (firstTime + secondTime) / 2, fold_ms, open_ms, greatest_error: 0 };
    },
  };
}

/** paillier-bigint checks no ciphertext, re-randomises no sum, and its numbers are not turned into bytes here: none of that is in its times. */
export function peerContender({ publicKey, privateKey }: KeyPair, most: number): Contender {
  const width = ciphertextBytes(publicKey);
  return {
    implementation: 'paillier-bigint',
    backend: 'bigint',
    key_bits: publicKey.n.toString(2).length,
    most,
    ciphertexts: (_, values) => values,
    traffic: (_, values) => ({ contribution: width * values, aggregate: width * values }),
    aggregate: (owners, values) => {
      const vectors = [vectorOf(0, values), vectorOf(1, values)] as const;
      const seal = (vector: bigint[]) => timed(() => vector.map((value) => publicKey.encrypt(value)));
      const [[first, firstTime], [second, secondTime]] = [seal(vectors[0]), seal(vectors[1])];
      const [sums, fold_ms] = timed(() =>
        first.map((each, at) => publicKey.addition(...inTurn(owners, [each, second[at] ?? 0n]))),
      );
      const [opened, open_ms] = timed(() => sums.map((sum) => privateKey.decrypt(sum)));
      expect(
        opened.every((value, at) => value === sumInTurn(owners, vectors[0][at] ?? 0n, vectors[1][at] ?? 0n)),
        'aggregate of paillier-bigint',
      );
      return { seal_ms: (firstTime + secondTime) / 2, fold_ms, open_ms, greatest_error: 0 };
    },
  };
}
