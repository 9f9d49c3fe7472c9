import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PublicKey } from 'paillier-bigint';
import { suite } from 'uvu';
import { lanesOf, opensslBackend } from '../../src/paillier/backend.ts';
import { decodeCiphertexts } from '../../src/paillier/ciphertexts.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { breakEven } from '../../src/paillier/encryption.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { combShape } from '../../src/paillier/fixed-base.ts';
import type { Ciphertext } from '../../src/paillier/public-key.ts';
import { type RandomBytes, systemRandom } from '../../src/paillier/random.ts';
import { backends } from './backends.ts';
import { below, runs, smallKeys } from './keys.ts';

const test = suite('encryptor');

const { publicKey, privateKey } = smallKeys;
const { n, _n2: square } = publicKey;
const decryptor = createDecryptor(privateKey);

/** The system's randomness, and a record of how much of it was asked for. */
function countedRandom(): { random: RandomBytes; lengths: number[] } {
  const lengths: number[] = [];
  return {
    lengths,
    random: (length) => {
      lengths.push(length);
      return systemRandom(length);
    },
  };
}

for (const backend of backends) {
  for (const prepared of [false, true]) {
    const encryptor = createEncryptor(publicKey, { backend, expected: 50 });
    if (prepared) await encryptor.prepare();
    const which = `${backend.name}, ${prepared ? 'with' : 'without'} prepare()`;

    test(`property: decryption undoes encryption, and no two ciphertexts are alike (${which})`, () => {
      fc.assert(
        fc.property(below(n), (m) => {
          const [first, second] = [encryptor.encrypt(m), encryptor.encrypt(m)];
          assert.equal(decryptor.decrypt(first), m);
          assert.equal(decryptor.decrypt(second), m);
          assert.notEqual(first, second);
          assert.ok(first > 0n && first < square);
        }),
        { numRuns: runs / 3 },
      );
    });

    test(`property: re-randomising changes the ciphertext and keeps the plaintext (${which})`, () => {
      fc.assert(
        fc.property(below(n), (m) => {
          const c = encryptor.encrypt(m);
          const again = encryptor.rerandomise(c);
          assert.notEqual(again, c);
          assert.notEqual(again, encryptor.rerandomise(c));
          assert.equal(decryptor.decrypt(again), m);
        }),
        { numRuns: runs / 3 },
      );
    });
  }
}

test('a kernel makes its table for the first ciphertext, and states its memory before', () => {
  for (const backend of backends.filter(({ kernel }) => kernel !== undefined)) {
    const encryptor = createEncryptor(publicKey, { backend });
    // 16 blocks of 2⁵ pairs of numbers of 520 bits, in limbs of 52 or 64 bits.
    const limbs = backend.kernel?.engine === 'ifma' ? 10 : 9;
    assert.equal(encryptor.tableBytes, 16 * 32 * 2 * limbs * 8);
    assert.equal(encryptor.breakEven, 0);
    assert.ok(!encryptor.prepared);
    assert.equal(decryptor.decrypt(encryptor.encrypt(5n)), 5n);
    assert.ok(encryptor.prepared);
  }
});

test('a batch is of fresh ciphertexts, what was computed ahead first, and all are refused when one is', async () => {
  for (const backend of backends) {
    const encryptor = createEncryptor(publicKey, { backend });
    for (const ahead of [0, 2, 0, 7]) {
      await encryptor.prepareNext(ahead);
      const plaintexts = [5n, 5n, 0n, n - 1n, 7n];
      const ciphertexts = decodeCiphertexts(publicKey, encryptor.encryptBatch(plaintexts), 5);
      assert.deepEqual(
        ciphertexts.map((c) => decryptor.decrypt(c)),
        plaintexts,
      );
      assert.equal(new Set(ciphertexts).size, 5);
    }
    assert.throws(() => encryptor.encryptBatch([1n, 2n, 3n, n]), { code: 'plaintext_out_of_range' });
    assert.deepEqual(encryptor.encryptBatch([]), new Uint8Array());
  }
});

test('refuses plaintexts outside [0, n), and ciphertexts outside (0, n²)', () => {
  const encryptor = createEncryptor(publicKey);
  for (const m of [-1n, -n, n, n + 1n, square]) {
    assert.throws(() => encryptor.encrypt(m), {
      code: 'plaintext_out_of_range',
      field: 'plaintext',
      message: 'plaintext: expected 0 ≤ m < n; write a negative one as n − |m|',
    });
  }
  for (const c of [0n, -1n, square, square + 1n]) {
    assert.throws(() => encryptor.rerandomise(c as Ciphertext), {
      code: 'ciphertext_invalid',
      field: 'ciphertext',
      message: 'ciphertext: expected 0 < c < n²',
    });
  }
});

test('refuses a key that was never checked, however large', () => {
  assert.throws(() => createEncryptor(new PublicKey(n, n + 1n)), { code: 'key_invalid', field: 'public key' });
});

test('draws x once and ⌈|n|/2⌉ fresh bits for every ciphertext', async () => {
  const { random, lengths } = countedRandom();
  const encryptor = createEncryptor(publicKey, { random, expected: 50 });
  const before = lengths.length;
  assert.ok(lengths.every((length) => length === 64) && before >= 1);
  for (let round = 0; round < 5; round += 1) encryptor.encrypt(1n);
  encryptor.rerandomise(encryptor.encrypt(2n));
  assert.deepEqual(lengths.slice(before), new Array<number>(7).fill(32));
  await encryptor.prepare();
  encryptor.encrypt(3n);
  assert.deepEqual(lengths.slice(before), new Array<number>(8).fill(32));
});

test('draws another x when the first is no unit, and another α when that is zero', () => {
  const zeroFirst = (length: number): RandomBytes => {
    let draws = 0;
    return (wanted) => {
      draws += 1;
      return draws === 1 && wanted === length ? new Uint8Array(wanted) : systemRandom(wanted);
    };
  };
  const encryptor = createEncryptor(publicKey, { random: zeroFirst(64) });
  assert.equal(decryptor.decrypt(encryptor.encrypt(5n)), 5n);
  let armed = false;
  const second = createEncryptor(publicKey, {
    random: (wanted) => {
      if (!armed) return systemRandom(wanted);
      armed = false;
      return new Uint8Array(wanted);
    },
  });
  armed = true;
  const c = second.encrypt(5n);
  assert.ok(!armed);
  assert.notEqual(c % n, 1n);
  assert.equal(decryptor.decrypt(c), 5n);
});

test('two encryptors given the same randomness give the same ciphertexts: nothing else is random', () => {
  const stream = (): RandomBytes => {
    let state = 1;
    return (length) =>
      Uint8Array.from({ length }, () => {
        state = (state * 48_271) % 2_147_483_647;
        return state & 255;
      });
  };
  const [first, second] = [
    createEncryptor(publicKey, { random: stream() }),
    createEncryptor(publicKey, { random: stream() }),
  ];
  const third = createEncryptor(publicKey);
  for (let round = 0; round < 5; round += 1) {
    const c = first.encrypt(9n);
    assert.equal(second.encrypt(9n), c);
    assert.notEqual(third.encrypt(9n), c);
  }
});

test('states the memory of its table before and after building it, and says when it is built', async () => {
  const encryptor = createEncryptor(publicKey, { backend: opensslBackend });
  assert.equal(encryptor.tableBytes, 13 * 1023 * 2 * (64 + 24));
  assert.equal(encryptor.prepared, false);
  encryptor.encrypt(1n);
  assert.equal(encryptor.prepared, false);
  await encryptor.prepare();
  assert.equal(encryptor.prepared, true);
  assert.equal(encryptor.tableBytes, 13 * 1023 * 2 * (64 + 24));
  await encryptor.prepare();
});

test('serves the event loop while it prepares, and encrypts meanwhile', async () => {
  const encryptor = createEncryptor(publicKey, { backend: opensslBackend });
  let turns = 0;
  let last: Ciphertext | undefined;
  const tick = (): void => {
    turns += 1;
    last = encryptor.encrypt(BigInt(turns));
    if (!encryptor.prepared) setImmediate(tick);
  };
  setImmediate(tick);
  await Promise.all([encryptor.prepare(), encryptor.prepare()]);
  assert.ok(turns > 10, `${turns} turns`);
  assert.equal(last === undefined ? undefined : decryptor.decrypt(last), BigInt(turns));
});

test('serves the event loop while a kernel prepares too', async () => {
  for (const backend of backends.filter(({ kernel }) => kernel !== undefined)) {
    const encryptor = createEncryptor(publicKey, { backend });
    let [turns, prepared] = [0, false];
    const tick = (): void => {
      turns += 1;
      if (!prepared) setImmediate(tick);
    };
    setImmediate(tick);
    await encryptor.prepare();
    prepared = true;
    assert.ok(encryptor.prepared && turns > 1, `${backend.name}: ${turns} turns`);
    assert.equal(decryptor.decrypt(encryptor.encrypt(5n)), 5n);
  }
});

test('stops preparing when the signal fires, and goes on from there when asked again', async () => {
  const encryptor = createEncryptor(publicKey, { backend: opensslBackend });
  const reason = new Error('enough');
  await assert.rejects(encryptor.prepare(AbortSignal.abort(reason)), {
    code: 'aborted',
    message: 'preparing the encryptor was aborted',
    cause: reason,
  });
  const controller = new AbortController();
  setImmediate(() => {
    controller.abort();
  });
  await assert.rejects(encryptor.prepare(controller.signal), { code: 'aborted' });
  assert.equal(encryptor.prepared, false);
  assert.equal(decryptor.decrypt(encryptor.encrypt(5n)), 5n);
  await encryptor.prepare();
  assert.equal(decryptor.decrypt(encryptor.encrypt(6n)), 6n);
});

test('builds the table unasked after the break-even point, one piece an encryption, and is right all the way', () => {
  const encryptor = createEncryptor(publicKey, { backend: opensslBackend, expected: 500 });
  const { teeth, blocks } = combShape(256, 500);
  const pieces = teeth + blocks;
  assert.equal(encryptor.breakEven, breakEven(256, { teeth, blocks }, opensslBackend));
  for (let made = 1; made <= encryptor.breakEven + pieces + 5; made += 1) {
    const c = made % 2 === 0 ? encryptor.encrypt(BigInt(made)) : encryptor.rerandomise(encryptorOf(made));
    assert.equal(decryptor.decrypt(c), BigInt(made));
    assert.equal(encryptor.prepared, made >= encryptor.breakEven + pieces, `after ${made}`);
  }
});

test('what is computed ahead is used once, for encrypting and re-randomising alike, and draws no more when it is used', async () => {
  const { random, lengths } = countedRandom();
  const encryptor = createEncryptor(publicKey, { random });
  await encryptor.prepareNext(3);
  const before = lengths.length;
  await encryptor.prepareNext(3);
  await encryptor.prepareNext(2);
  assert.equal(lengths.length, before);
  const lanes = lanesOf(encryptor.backend);
  assert.equal(encryptor.ready, Math.ceil(3 / lanes) * lanes);
  while (encryptor.ready > 3) encryptor.encrypt(1n);
  const made = [encryptor.encrypt(5n), encryptor.encrypt(5n), encryptor.rerandomise(encryptorOf(5))];
  assert.equal(lengths.length, before);
  made.push(encryptor.encrypt(5n), encryptor.rerandomise(encryptorOf(5)));
  assert.equal(lengths.length, before + 2);
  assert.equal(new Set(made).size, 5);
  for (const c of made) assert.equal(decryptor.decrypt(c), 5n);
  assert.throws(() => encryptor.encrypt(n), { code: 'plaintext_out_of_range' });
  await encryptor.prepareNext(1);
  assert.throws(() => encryptor.encrypt(n), { code: 'plaintext_out_of_range' });
});

test('computing ahead serves the event loop, runs once at a time, and ends with its signal', async () => {
  const { random, lengths } = countedRandom();
  const encryptor = createEncryptor(publicKey, { random });
  await encryptor.prepare();
  // As many as are computed in one go.
  const lanes = lanesOf(encryptor.backend);
  const stop = new AbortController();
  const before = lengths.length;
  const first = encryptor.prepareNext(1000, stop.signal);
  const second = encryptor.prepareNext(1000);
  await second;
  assert.deepEqual([lengths.length, encryptor.ready], [before + lanes, lanes]);
  stop.abort();
  await first;
  assert.ok(lengths.length <= before + 2 * lanes);
  await encryptor.prepareNext(2 * lanes + 1);
  assert.deepEqual([lengths.length, encryptor.ready], [before + 3 * lanes, 3 * lanes]);
  encryptor.encryptBatch(new Array<bigint>(lanes).fill(1n));
  assert.deepEqual([lengths.length, encryptor.ready], [before + 3 * lanes, 2 * lanes]);
});

/** A ciphertext of m by another encryptor. */
function encryptorOf(m: number): Ciphertext {
  return createEncryptor(publicKey).encrypt(BigInt(m));
}

test('what one encryptor makes, another adds to and re-randomises', async () => {
  const [first, second] = [createEncryptor(publicKey), createEncryptor(publicKey)];
  await second.prepare();
  const sum = ((first.encrypt(30n) * second.encrypt(12n)) % square) as Ciphertext;
  assert.equal(decryptor.decrypt(second.rerandomise(first.rerandomise(sum))), 42n);
});

test.run();
