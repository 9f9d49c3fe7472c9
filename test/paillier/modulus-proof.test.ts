/** Proofs of well-formed moduli: completeness, and every way to spoil a proof. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { checkPrimeSync, createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type ModularBackend, selectBackend } from '../../src/paillier/backend.ts';
import { bytesToBigint } from '../../src/paillier/bytes.ts';
import { jacobiSymbol } from '../../src/paillier/jacobi.ts';
import { generateKeyPair, testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import {
  blumCount,
  encodeResidue,
  type ModulusProof,
  modulusChallenges,
  rootCount,
  verifyModulus,
} from '../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import type { Addon } from '../../src/paillier/native/addon.ts';
import { primesOf, privateKeyFromPrimes, testOnlyPrivateKeyFromPrimes } from '../../src/paillier/private-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { backends } from './backends.ts';
import { fromBase64url, runs, smallKeys } from './keys.ts';
import { context, noRoot, notBlum, primeModulo, refuses } from './modulus-refusals.ts';

const test = suite('modulus proof');

const { publicKey, privateKey } = smallKeys;
const { n } = publicKey;
const good = await proveModulus(privateKey, context);

// Completeness.

test('round trip at 3072 bits; the known answers make one at 2048', async () => {
  const keys = await generateKeyPair({ bits: 3072 });
  const proof = await proveModulus(keys.privateKey, context);
  await verifyModulus(keys.publicKey, proof, context);
  assert.equal(proof.roots.length, 11);
  assert.equal(proof.blum.length, 128);
  for (const { text } of elements(proof)) assert.equal(Buffer.from(text, 'base64url').length, 384);
});

test('property: every key and context, through JSON, with each backend', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(80, 130, 300, 520, 1030),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(...backends),
      async (bits, bytes, backend) => {
        const keys = await testOnlyGenerateKeyPair({ bits });
        const proof = await proveModulus(keys.privateKey, bytes, { backend });
        await verifyModulus(keys.publicKey, JSON.parse(JSON.stringify(proof)) as ModulusProof, bytes, { backend });
      },
    ),
    { numRuns: runs / 30 },
  );
});

test('each of the four multiples answers some challenge, and no two proofs share their w', async () => {
  const multiples = new Set(good.blum.map(({ a, b }) => `${a}${b}`));
  assert.deepEqual([...multiples].sort(), ['00', '01', '10', '11']); // fails by chance below 2^−50
  assert.notEqual((await proveModulus(privateKey, context)).w, good.w);
});

/** The first prime ≡ 3 mod 4 from a number of 1024 bits on that begins with two ones and is otherwise SHAKE256 of a name. */
function namedPrime(name: string): bigint {
  const start = bytesToBigint(createHash('shake256', { outputLength: 128 }).update(name).digest());
  let candidate = start | (3n << 1022n) | 3n;
  while (!checkPrimeSync(candidate)) candidate += 4n;
  return candidate;
}

test('known answers: what an independent implementation in Python proved with the same primes and randomness', async () => {
  const key = privateKeyFromPrimes(namedPrime('sealsum test prime p'), namedPrime('sealsum test prime q'));
  let drawn = 0;
  const random: RandomBytes = (outputLength) => {
    drawn += 1;
    return createHash('shake256', { outputLength }).update(`sealsum test randomness ${drawn}`).digest();
  };
  const digest = createHash('sha256');
  for (const bytes of [new Uint8Array(), context, new Uint8Array(1000).fill(0xa5)]) {
    const proof = await proveModulus(key, bytes, { random });
    await verifyModulus(key.publicKey, proof, bytes);
    for (const { text } of elements(proof)) digest.update(`${text}\n`);
    digest.update(proof.blum.map(({ a, b }) => `${a}${b}`).join());
  }
  assert.equal(digest.digest('hex'), 'e0182fe3a58afaadc7054b9885a92386135d82a0903110158c47b64bec9ee498');
});

test('refuses to prove anything of primes that are not both ≡ 3 mod 4, as python-paillier makes them', async () => {
  for (const [first, second] of [
    [primeModulo(256, 1n), primeModulo(256, 3n)],
    [primeModulo(256, 3n), primeModulo(256, 1n)],
    [primeModulo(256, 1n), primeModulo(256, 1n)],
  ] as const) {
    await assert.rejects(proveModulus(testOnlyPrivateKeyFromPrimes(first, second), context), {
      code: 'key_invalid',
      field: 'p, q',
      message: 'p, q: expected primes ≡ 3 mod 4, or nothing can be proven of n; make a new key',
    });
  }
});

test('a proof that came out wrong modulo one prime is withheld: it would give the primes away', async () => {
  const { p } = primesOf(privateKey);
  const honest = selectBackend();
  for (const faulty of [1, 2, 3, 12, 13, 14, 15, 100, 268]) {
    let powers = 0;
    const backend: ModularBackend = {
      name: honest.name,
      modularPower(modulus) {
        const power = honest.modularPower(modulus);
        if (modulus % p !== 0n || modulus === n) return power;
        return (base, exponent) => {
          powers += 1;
          return powers === faulty ? power(base, exponent) + 1n : power(base, exponent);
        };
      },
    };
    await assert.rejects(proveModulus(privateKey, context, { backend }), { code: 'internal' }, `power ${faulty}`);
    assert.ok(powers >= faulty);
  }
});

test('the same of powers that the kernel made', async () => {
  const honest = selectBackend();
  const { kernel } = honest;
  if (kernel?.engine !== 'ifma') {
    console.log('skipped: powers of the kernel that came out wrong, there is no AVX-512 IFMA here');
    return;
  }
  // Modulo p 139 roots in 18 groups, 129 fourth roots in 16 and one by itself; then as many modulo q.
  for (const faulty of [1, 2, 17, 18, 19, 34, 35, 52, 68]) {
    let groups = 0;
    const addon: Addon = {
      ...kernel.addon,
      powers(object, width) {
        const powers = kernel.addon.powers(object, width);
        groups += 1;
        if (groups === faulty) powers[width - 1] = (powers[width - 1] ?? 0) ^ 1;
        return powers;
      },
    };
    const backend: ModularBackend = { ...honest, kernel: { ...kernel, addon } };
    await assert.rejects(proveModulus(privateKey, context, { backend }), { code: 'internal' }, `group ${faulty}`);
    assert.ok(groups >= faulty);
  }
});

// Challenges.

test('challenges are in [0, n), all different, and others for every n, w, context and kind', () => {
  const w = fromBase64url(good.w);
  const seen = new Set<bigint>();
  let count = 0;
  for (const [modulus, witness, bytes] of [
    [n, w, context],
    [n, w + 1n, context],
    [n - 2n, w, context],
    [n, w, context.subarray(1)],
    [n, w, new Uint8Array([...context, 0])],
    [n, w, new Uint8Array()],
  ] as const) {
    const { roots, blum } = modulusChallenges(modulus, witness, bytes);
    assert.equal(roots.length, rootCount);
    assert.equal(blum.length, blumCount);
    for (const challenge of [...roots, ...blum]) {
      assert.ok(challenge >= 0n && challenge < modulus);
      seen.add(challenge);
      count += 1;
    }
  }
  assert.equal(count, 6 * 139);
  assert.equal(seen.size, count);
});

test('challenges are uniform: below n/2, odd, and of Jacobi symbol −1 about half the time, so they are no squares', () => {
  // n just above a power of two, where taking the remainder would give small numbers twice as often.
  for (const modulus of [n, (1n << 600n) + 1n, (1n << 601n) - 1n]) {
    const sample = [1n, 2n, 3n, 4n, 5n, 6n, 7n].flatMap((w) => {
      const { roots, blum } = modulusChallenges(modulus, w, context);
      return [...roots, ...blum];
    });
    for (const isCounted of [
      (y: bigint) => 2n * y < modulus,
      (y: bigint) => y % 2n === 1n,
      (y: bigint) => jacobiSymbol(y, modulus) === -1,
    ]) {
      const counted = sample.filter(isCounted).length;
      // 973 fair coins: 7 standard deviations of 15.6, exceeded by chance below 10^−11.
      assert.ok(Math.abs(counted - sample.length / 2) < 110, `${counted} of ${sample.length}`);
    }
  }
});

// Spoilt proofs.

interface Element {
  readonly field: string;
  readonly text: string;
  /** The same proof with another text in this place. */
  readonly replaced: (text: string) => ModulusProof;
}

/** Every integer of a proof. */
function elements(proof: ModulusProof): Element[] {
  const answer = (index: number, change: object): ModulusProof => ({
    ...proof,
    blum: proof.blum.map((each, position) => (position === index ? { ...each, ...change } : each)),
  });
  return [
    { field: 'proof.w', text: proof.w, replaced: (w) => ({ ...proof, w }) },
    ...proof.roots.map((text, index) => ({
      field: `proof.roots[${index}]`,
      text,
      replaced: (root: string) => ({ ...proof, roots: proof.roots.with(index, root) }),
    })),
    ...proof.blum.flatMap(({ x, z }, index) => [
      { field: `proof.blum[${index}].x`, text: x, replaced: (text: string) => answer(index, { x: text }) },
      { field: `proof.blum[${index}].z`, text: z, replaced: (text: string) => answer(index, { z: text }) },
    ]),
  ];
}

const goodElements = elements(good);
const anyElement = fc.constantFrom(...goodElements);

/** A proof that differs from the good one. */
const spoilt: fc.Arbitrary<ModulusProof> = fc.oneof(
  fc
    .tuple(anyElement, fc.nat(511))
    .map(([{ text, replaced }, bit]) =>
      replaced(
        Buffer.from((fromBase64url(text) ^ (1n << BigInt(bit))).toString(16).padStart(128, '0'), 'hex').toString(
          'base64url',
        ),
      ),
    ),
  fc
    .tuple(anyElement, fc.nat(85), fc.constantFrom('A', 'z', '_', '+', '=', ' ', 'é', ''))
    .filter(([{ text }, at, character]) => text.charAt(at) !== character)
    .map(([{ text, replaced }, at, character]) => replaced(text.slice(0, at) + character + text.slice(at + 1))),
  fc
    .tuple(anyElement, anyElement)
    .filter(([first, second]) => first.field !== second.field)
    .map(([first, second]) => {
      const half = elements(first.replaced(second.text)).find(({ field }) => field === second.field);
      return half?.replaced(first.text) ?? assert.fail();
    }),
  // −w, −σ, −x, −z.
  anyElement.map(({ text, replaced }) => replaced(encodeResidue(n, n - fromBase64url(text)))),
  fc
    .tuple(anyElement, fc.bigInt({ min: 0n, max: n - 1n }))
    .map(([{ replaced }, other]) => replaced(encodeResidue(n, other))),
  fc.tuple(fc.nat(blumCount - 1), fc.constantFrom('a' as const, 'b' as const)).map(([index, bit]) => ({
    ...good,
    blum: good.blum.map((each, position) => (position === index ? { ...each, [bit]: 1 - each[bit] } : each)),
  })),
  fc
    .tuple(fc.nat(blumCount - 1), fc.nat(blumCount - 1))
    .filter(([first, second]) => first !== second)
    .map(([first, second]) => ({
      ...good,
      blum: good.blum.map((each, position) =>
        position === first ? (good.blum[second] ?? each) : position === second ? (good.blum[first] ?? each) : each,
      ),
    })),
);

test('property: any change to a proof is refused', async () => {
  await verifyModulus(publicKey, good, context);
  await fc.assert(
    fc.asyncProperty(spoilt, async (proof) => {
      await assert.rejects(verifyModulus(publicKey, proof, context), { name: 'SealsumError', code: 'key_invalid' });
    }),
    { numRuns: runs },
  );
});

test('every single integer counts: each one changed is refused under its own name', async () => {
  for (const { field, text, replaced } of goodElements) {
    const other = encodeResidue(n, (fromBase64url(text) * 4n) % n);
    await assert.rejects(verifyModulus(publicKey, replaced(other), context), (error: { field?: string }) => {
      // Another w changes all challenges, and 4·x may be above n/2: both are found in an x.
      assert.equal(error.field, field === 'proof.w' ? 'proof.blum[0].x' : field);
      return true;
    });
  }
});

test('property: another context or another key is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
      fc.pre(Buffer.compare(bytes, context) !== 0);
      await refuses(n, good, 'proof.blum[0].x', notBlum, bytes);
    }),
    { numRuns: runs / 10 },
  );
  for (const bits of [256, 510, 512, 514, 520]) {
    const other = await testOnlyGenerateKeyPair({ bits });
    await assert.rejects(verifyModulus(other.publicKey, good, context), { code: 'key_invalid' });
  }
});

test('there is one text for each integer, of exactly the bytes of n', async () => {
  const width = 'expected base64url text of 64 bytes, as many as n has';
  const canonical = 'expected canonical base64url: no padding, no other characters';
  const range = 'expected a number above 0 and below n';
  const raw = (value: bigint, bytes = 64): string =>
    Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex').toString('base64url');
  for (const { field, text, replaced } of [0, 1, 11, 12, 13, 266, 267].map((at) => goodElements[at] ?? assert.fail())) {
    const value = fromBase64url(text);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // The last of 86 characters has 2 of its 6 bits: the same bytes with a 1 among the 4 others.
    const unused = text.slice(0, -1) + alphabet.charAt(alphabet.indexOf(text.slice(-1)) + 1);
    for (const [wrong, expectation] of [
      ['', width],
      [`${text}==`, width],
      [` ${text}`, width],
      [raw(value, 65), width],
      [raw(value >> 8n, 63), width],
      [value.toString(), width],
      [unused, canonical],
      [`${text.slice(0, -1)}=`, canonical],
      [`+${text.slice(1)}`, canonical],
      [`\n${text.slice(1)}`, canonical],
      [raw(0n), range],
      [raw(n), range],
      [raw((1n << 512n) - 1n), range],
    ] as const) {
      await refuses(n, replaced(wrong), field, expectation);
    }
    for (const wrong of [undefined, null, 7, [text], value]) {
      await refuses(n, replaced(wrong as unknown as string), field, width);
    }
  }
});

test('of a fourth root and its negative only the one below n/2 is taken', async () => {
  const { field, text, replaced } = goodElements.at(-2) ?? assert.fail();
  await refuses(n, replaced(encodeResidue(n, n - fromBase64url(text))), field, 'expected the fourth root below n/2');
});

test('a and b are 0 or 1 and nothing like them', async () => {
  for (const bit of ['a', 'b'] as const) {
    for (const wrong of [-1, 2, 0.5, '0', '1', true, false, null, undefined]) {
      const blum = good.blum.with(5, { ...(good.blum[5] ?? assert.fail()), [bit]: wrong as 0 });
      await refuses(n, { ...good, blum }, `proof.blum[5].${bit}`, 'expected 0 or 1');
    }
  }
});

test('every wrong number of roots and answers is refused', async () => {
  for (const wrong of [0, 1, 10, 12, 22]) {
    const roots = [...good.roots, ...good.roots].slice(0, wrong);
    await refuses(n, { ...good, roots }, 'proof.roots', 'expected 11 roots');
  }
  for (const wrong of [0, 1, 64, 127, 129, 256]) {
    const blum = [...good.blum, ...good.blum].slice(0, wrong);
    await refuses(n, { ...good, blum }, 'proof.blum', 'expected 128 answers');
  }
});

test('a w of Jacobi symbol 1 or 0 is refused', async () => {
  const { p } = primesOf(privateKey);
  for (const w of [1n, n - 1n, 4n, fromBase64url(good.w) ** 2n % n, p, n - p]) {
    await refuses(n, { ...good, w: encodeResidue(n, w) }, 'proof.w', 'expected a number of Jacobi symbol −1 modulo n');
  }
});

test('the roots of the second proof are checked by themselves: with good ones for the first it fails at a z', async () => {
  const z = goodElements.find(({ field }) => field === 'proof.blum[127].z') ?? assert.fail();
  await refuses(n, z.replaced(encodeResidue(n, 1n)), 'proof.blum[127].z', noRoot);
});

test('even and tiny moduli are refused before all else', async () => {
  for (const modulus of [-15n, 0n, 1n, 2n, n + 1n, 1n << 512n]) {
    await refuses(modulus, good, 'n', 'expected a product of two odd primes');
  }
});

test('a modulus larger than any key may have is refused before anything of the proof is looked at', async () => {
  const untouched = new Proxy(good, {
    get: (_proof, field) => assert.fail(`looked at ${String(field)}`),
  });
  for (const bits of [8193, 16_384]) {
    const large = (1n << BigInt(bits)) - 1n;
    await refuses(large, untouched, 'n', `expected at most 8192 bits, found ${bits}`);
  }
  await refuses((1n << 8192n) - 1n, good, 'proof.w', 'expected base64url text of 1024 bytes, as many as n has');
});

// Beside other work.

test('the event loop turns at least once for every root that is not made with others, made or verified', async () => {
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  await proveModulus(privateKey, context);
  const proving = turns;
  await verifyModulus(publicKey, good, context);
  counting = false;
  const together = selectBackend().kernel?.engine === 'ifma' ? 8 : 1;
  assert.ok(proving >= (11 + 2 * 128) / together, `${proving} turns`);
  assert.ok(turns - proving >= (11 + 128) / together, `${turns - proving} turns`);
});

test('a signal stops both, before and amid', async () => {
  const works: [string, (signal: AbortSignal) => Promise<unknown>][] = [
    ['proving', (signal) => proveModulus(privateKey, context, { signal })],
    ['verifying', (signal) => verifyModulus(publicKey, good, context, { signal })],
  ];
  for (const [name, work] of works) {
    const expected = { name: 'SealsumError', code: 'aborted', message: `${name} a modulus was aborted` };
    await assert.rejects(work(AbortSignal.abort()), expected);
    for (const after of [0, 1, 2, 5, 15]) {
      const controller = new AbortController();
      const working = assert.rejects(work(controller.signal), expected);
      for (let turn = 0; turn < after; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await working;
    }
  }
});

test('no message carries an integer of the proof, the modulus or a prime', async () => {
  const { p, q } = primesOf(privateKey);
  for (const { text, replaced } of goodElements.filter((_, index) => index % 20 === 0)) {
    try {
      await verifyModulus(publicKey, replaced(encodeResidue(n, fromBase64url(text) ^ 1n)), context);
      assert.fail('expected an error');
    } catch (error) {
      for (const hidden of [text, ...[n, p, q].flatMap((each) => [each.toString(), each.toString(16)])]) {
        assert.ok(!String(error).includes(hidden.slice(0, 16)));
      }
    }
  }
});

test.run();
