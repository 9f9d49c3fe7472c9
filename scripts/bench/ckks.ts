/**
 * CKKS (Cheon, Kim, Kim, Song, ASIACRYPT 2017) through node-seal, which is Microsoft SEAL compiled to WebAssembly: owners encrypt
 * doubles, 4096 in a ciphertext, the facilitator adds, the holder of the key decrypts. Sums are approximate.
 *
 * Polynomials of degree 8192, scale 2^40, SEAL's 128-bit security. The last prime of a chain never leaves its owner:
 *
 * - `60+60` leaves one prime of 60 bits in a ciphertext, in which sums of a thousand owners fit; one of 50 bits would do for a
 *   hundred, and SEAL compresses that by a tenth;
 * - `60+40+60` leaves two, the usual chain of whoever wants to multiply once.
 *
 * SEAL compiled for the machine itself, with its vectors, is not measured here.
 */
import type nodeSeal from 'node-seal';
import { type Contender, inTurn, sumInTurn, timed, VALUE_BITS, vectorOf } from './contender.ts';
import { expect } from './measure.ts';

type Seal = Awaited<ReturnType<typeof nodeSeal.default>>;

const degree = 8192;
const scale = 2 ** 40;
/** Values are at most 1 here, and sums of a hundred at most 100. */
const tolerated = 2 ** -14;

const chains: readonly (readonly number[])[] = [
  [60, 60],
  [60, 40, 60],
];

/** Starts WebAssembly: to be called when nothing else will be measured any more. */
export async function ckksContenders(): Promise<Contender[]> {
  const { default: exported } = await import('node-seal');
  // Its types tell of a module with a default export; what Node finds in it is the function itself.
  const start = exported as unknown as () => Promise<Seal>;
  const seal = await start();
  return chains.map((chain) => ckksContender(seal, chain));
}

function ckksContender(seal: Seal, chain: readonly number[]): Contender {
  const parameters = seal.EncryptionParameters(seal.SchemeType.ckks as Seal['SchemeType']);
  parameters.setPolyModulusDegree(degree);
  parameters.setCoeffModulus(seal.CoeffModulus.Create(degree, Int32Array.from(chain)));
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128 as Seal['SecurityLevel']);
  expect(context.parametersSet(), 'a context of 128-bit security');
  const generator = seal.KeyGenerator(context);
  const encryptor = seal.Encryptor(context, generator.createPublicKey());
  const decryptor = seal.Decryptor(context, generator.secretKey());
  const evaluator = seal.Evaluator(context);
  const encoder = seal.CKKSEncoder(context);
  const none = seal.ComprModeType.none as Seal['ComprModeType'];
  const standard = seal.ComprModeType.zstd as Seal['ComprModeType'];
  const plain = seal.PlainText();
  const scratch = seal.CipherText();

  const encrypt = (values: Float64Array): void => {
    encoder.encode(values, scale, plain);
    encryptor.encrypt(plain, scratch);
  };
  encrypt(Float64Array.from(vectorOf(0, encoder.slotCount), asDouble));
  const uncompressed = scratch.saveArray(none).length;
  const compressed = scratch.saveArray().length;
  // What SEAL calls compressed may be the longer one.
  const mode = compressed < uncompressed ? standard : none;
  const ciphertextsOf = (values: number): number => Math.ceil(values / encoder.slotCount);

  const sealVector = (values: Float64Array): Uint8Array[] =>
    Array.from({ length: ciphertextsOf(values.length) }, (_, at) => {
      encrypt(values.subarray(at * encoder.slotCount, (at + 1) * encoder.slotCount));
      return scratch.saveArray(mode);
    });

  const fold = ([first = [], ...others]: readonly (readonly Uint8Array[])[]): Uint8Array[] =>
    first.map((bytes, at) => {
      const sum = seal.CipherText();
      sum.loadArray(context, bytes);
      for (const other of others) {
        scratch.loadArray(context, other[at] ?? new Uint8Array());
        evaluator.add(sum, scratch, sum);
      }
      const saved = sum.saveArray(mode);
      sum.delete();
      return saved;
    });

  const open = (sums: readonly Uint8Array[], length: number): Float64Array => {
    const values = new Float64Array(length);
    for (const [at, bytes] of sums.entries()) {
      scratch.loadArray(context, bytes);
      decryptor.decrypt(scratch, plain);
      const start = at * encoder.slotCount;
      values.set(encoder.decode(plain).subarray(0, Math.min(encoder.slotCount, length - start)), start);
    }
    return values;
  };

  return {
    implementation: 'ckks',
    backend: chain.join('+'),
    key_bits: null,
    ciphertexts: (_, values) => ciphertextsOf(values),
    traffic: (_, values) => {
      const count = ciphertextsOf(values);
      const bytes = count * Math.min(compressed, uncompressed);
      return {
        contribution: bytes,
        aggregate: bytes,
        compressed: count * compressed,
        uncompressed: count * uncompressed,
      };
    },
    aggregate: (owners, values) => {
      const vectors = [vectorOf(0, values), vectorOf(1, values)] as const;
      const doubles = [Float64Array.from(vectors[0], asDouble), Float64Array.from(vectors[1], asDouble)] as const;
      const [first, firstTime] = timed(() => sealVector(doubles[0]));
      const [second, secondTime] = timed(() => sealVector(doubles[1]));
      const contributions = inTurn(owners, [first, second]);
      const [sums, fold_ms] = timed(() => fold(contributions));
      const [opened, open_ms] = timed(() => open(sums, values));
      const greatest_error = opened.reduce((greatest, value, at) => {
        const right = sumInTurn(owners, vectors[0][at] ?? 0n, vectors[1][at] ?? 0n);
        return Math.max(greatest, Math.abs(value - asDouble(right)));
      }, 0);
      expect(greatest_error < tolerated, 'aggregate of CKKS');
      return { seal_ms: (firstTime + secondTime) / 2, fold_ms, open_ms, greatest_error };
    },
  };
}

/** An integer below 2^36 as a number from 0 to 1; sums of a thousand of them are exact. */
function asDouble(value: bigint): number {
  return Number(value) / 2 ** VALUE_BITS;
}
