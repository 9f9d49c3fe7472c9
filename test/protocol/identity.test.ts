/** Ed25519 identities: vectors by others, the laws of signatures and derived keys, and keys that are none. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { modPow } from 'bigint-crypto-utils';
import fc from 'fast-check';
import { suite } from 'uvu';
import { createLog } from '../../src/http/log.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, createParty, fingerprintSchema, type Party } from '../../src/protocol/identity.ts';
import { testIdentity } from '../support/identities.ts';

const test = suite('identity');

const name = partyIdSchema.parse('anna');
const anna = testIdentity('anna', 'data-owner');
const bert = testIdentity('bert', 'data-owner');
const invalid = { code: 'identity_invalid', field: 'key' };
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const partyOf = (publicKey: Uint8Array): Party =>
  createParty(name, 'data-owner', Buffer.from(publicKey).toString('base64url'));

/** RFC 8032, section 7.1: secret key, public key, message, signature. */
const rfc8032 = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
  [
    'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
    '08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0',
    '0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03',
  ],
  [
    '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  ],
] as const;

test('signs and verifies as RFC 8032 does, section 7.1', () => {
  for (const [seed, publicKey, message, signature] of rfc8032) {
    const identity = createIdentity(name, 'data-owner', hex(seed));
    assert.equal(Buffer.from(identity.publicKey, 'base64url').toString('hex'), publicKey);
    assert.equal(Buffer.from(identity.sign(hex(message))).toString('hex'), signature);
    assert.ok(partyOf(hex(publicKey)).verify(hex(message), hex(signature)));
  }
});

test('has the fingerprint and signs the JWS of RFC 8037, appendix A', () => {
  const identity = createIdentity(
    name,
    'data-owner',
    Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url'),
  );
  assert.equal(identity.publicKey, '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
  assert.equal(identity.fingerprint, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  assert.equal(fingerprintSchema.parse(identity.fingerprint), identity.fingerprint);
  const signed = Buffer.from('eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc');
  assert.equal(
    Buffer.from(identity.sign(signed)).toString('base64url'),
    'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
  );
});

test('refuses signatures whose S is not the one below the order of the group', () => {
  // Project Wycheproof, testvectors_v1/ed25519_test.json, tcId 3 (valid) and 63 to 70 (the same with another S).
  const party = partyOf(hex('7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa'));
  const r = '7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0';
  const message = hex('54657374');
  assert.ok(party.verify(message, hex(`${r}7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d`)));
  for (const s of [
    '67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d',
    '5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d',
    '2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d',
    'e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d',
    '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d',
    '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d',
    '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d',
    '679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d',
  ])
    assert.ok(!party.verify(message, hex(r + s)), s);
});

/** HKDF with SHA-256 and at most 255 blocks, step by step as RFC 5869, section 2. */
function hkdf(salt: Uint8Array, secret: Uint8Array, info: Uint8Array, length: number): Buffer {
  const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Buffer =>
    createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const key = hmac(salt.length === 0 ? Buffer.alloc(32) : salt, secret);
  let block: Buffer = Buffer.alloc(0);
  let output: Buffer = Buffer.alloc(0);
  for (let index = 1; output.length < length; index++) {
    block = hmac(key, block, info, Uint8Array.of(index));
    output = Buffer.concat([output, block]);
  }
  return output.subarray(0, length);
}

test('derives keys by HKDF-SHA-256 (RFC 5869) of the seed alone', () => {
  // RFC 5869, appendix A.1 and A.3.
  const secret = Buffer.alloc(22, 0x0b);
  assert.equal(
    hkdf(hex('000102030405060708090a0b0c'), secret, hex('f0f1f2f3f4f5f6f7f8f9'), 42).toString('hex'),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
  assert.equal(
    hkdf(new Uint8Array(), secret, new Uint8Array(), 42).toString('hex'),
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(seeds, fc.string(), (seed, purpose) => {
      const identity = createIdentity(name, 'data-owner', seed);
      const expected = hkdf(new Uint8Array(), seed, Buffer.from(`sealsum ${purpose}`), 32);
      assert.deepEqual(Buffer.from(identity.derive(purpose)), expected);
      // Whoever learns one derived key learns neither the seed nor another one.
      assert.notDeepEqual(identity.derive(purpose), identity.derive(`${purpose} `));
      assert.notDeepEqual(Buffer.from(identity.derive(purpose)), Buffer.from(seed));
    }),
  );
  assert.notDeepEqual(anna.derive('store'), bert.derive('store'));
});

test('a signature is of one message by one key, always the same, and no bit of it may differ', () => {
  const bits = fc.nat(511);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), bits, (message, other, bit) => {
      const signature = anna.sign(message);
      assert.equal(signature.length, 64);
      assert.deepEqual(anna.sign(message), signature);
      assert.ok(anna.verify(message, signature));
      assert.ok(!bert.verify(message, signature));
      assert.equal(anna.verify(other, signature), Buffer.compare(message, other) === 0);
      const changed = signature.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.ok(!anna.verify(message, changed));
    }),
  );
});

test('a signature has 64 bytes and no other number', () => {
  const message = Buffer.from('message');
  const signature = anna.sign(message);
  for (let length = 0; length < 64; length++) assert.ok(!anna.verify(message, signature.subarray(0, length)));
  for (const more of [1, 64]) assert.ok(!anna.verify(message, Buffer.concat([signature, Buffer.alloc(more)])));
});

test('a public key is 32 bytes in canonical base64url', () => {
  for (const text of [
    '',
    'A',
    anna.publicKey.slice(1),
    `${anna.publicKey}A`,
    `${anna.publicKey}=`,
    ` ${anna.publicKey}`,
    Buffer.from(anna.publicKey, 'base64url').toString('hex'),
    // The same bytes with the two bits that are left over set.
    anna.publicKey.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
    Buffer.alloc(32, 0xfb).toString('base64'),
    'ä'.repeat(43),
  ])
    assert.throws(() => createParty(name, 'data-owner', text), { ...invalid, message: /expected 32 bytes/ }, text);
  for (let length = 0; length < 70; length++)
    if (length !== 32) assert.throws(() => partyOf(new Uint8Array(length)), invalid);
});

const prime = (1n << 255n) - 19n;

/** 32 bytes, little-endian, the sign of x in the highest bit. */
function encoded(y: bigint, sign: 0 | 1): Uint8Array {
  const digits = (y | (BigInt(sign) << 255n)).toString(16).padStart(64, '0');
  return Uint8Array.from(hex(digits)).reverse();
}

test('a public key is a point of the curve in its only encoding', () => {
  // d = −121665/121666 (RFC 8032, section 5.1); y belongs to a point where (y² − 1)/(d·y² + 1) is a square, by Euler.
  const d = (-121665n * modPow(121666n, -1n, prime)) % prime;
  let [points, others] = [0, 0];
  fc.assert(
    fc.property(fc.bigInt({ min: 2n, max: prime - 2n }), fc.constantFrom<0 | 1>(0, 1), (y, sign) => {
      const ratio = (y * y - 1n) * modPow(d * y * y + 1n, -1n, prime);
      const isPoint = modPow(ratio, (prime - 1n) / 2n, prime) === 1n;
      if (isPoint) {
        points += 1;
        assert.equal(partyOf(encoded(y, sign)).name, name);
      } else {
        others += 1;
        assert.throws(() => partyOf(encoded(y, sign)), { ...invalid, message: /a point of the curve/ });
      }
    }),
  );
  assert.ok(points > 10 && others > 10);
  for (let y = prime; y < 1n << 255n; y++)
    for (const sign of [0, 1] as const)
      assert.throws(() => partyOf(encoded(y, sign)), { ...invalid, message: /a coordinate below 2\^255 − 19/ });
});

test('a public key under which anybody could sign is refused', () => {
  // The points of order 1, 2, 4 and 8; y of the last two solves d·y⁴ + 2·y² = 1 (libsodium, ge25519_has_small_order).
  const eighth = BigInt(
    `0x${Buffer.from(hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')).reverse().toString('hex')}`,
  );
  for (const y of [1n, prime - 1n, 0n, eighth, prime - eighth])
    for (const sign of [0, 1] as const)
      assert.throws(() => partyOf(encoded(y, sign)), {
        ...invalid,
        message: 'the key of anna: expected a point of large order; with this key anybody could sign',
      });
});

test('a seed has 32 bytes', () => {
  for (let length = 0; length < 70; length++)
    if (length !== 32)
      assert.throws(() => createIdentity(name, 'data-owner', new Uint8Array(length)), {
        code: 'identity_invalid',
        field: 'seed',
      });
});

test('an identity that is logged, printed or written as JSON does not show its seed', () => {
  const seed = Buffer.from('a seed that nobody may ever see!');
  const identity = createIdentity(name, 'data-owner', seed);
  const lines: string[] = [];
  const log = createLog('test', 'trace', { write: (line: string) => lines.push(line) });
  log.info({ identity, deeper: { identity } }, 'made');
  log.error({ err: new Error('x', { cause: identity }), ...identity }, 'failed');
  const shown = [...lines, inspect(identity, { depth: 9 }), JSON.stringify(identity), JSON.stringify({ ...identity })];
  assert.equal(shown.length, 5);
  assert.match(shown.join(''), new RegExp(identity.fingerprint));
  const forms = [
    ...(['latin1', 'hex', 'base64', 'base64url'] as const).map((form) => seed.toString(form)),
    '97,32,115',
  ];
  for (const form of forms) assert.ok(!shown.join('').replaceAll(' ', '').includes(form.replaceAll(' ', '')), form);
  assert.ok(!/"0":\s*97|61 20 73 65 65 64/.test(shown.join('')));
  assert.deepEqual(Buffer.from(identity.seed), seed);
});

test('a fingerprint is 43 characters of base64url without leftover bits', () => {
  const { fingerprint } = anna;
  for (const wrong of [
    '',
    fingerprint.slice(1),
    `${fingerprint}A`,
    fingerprint.replace(/.$/, 'B'),
    `${fingerprint}\n`,
    7,
  ])
    assert.ok(!fingerprintSchema.safeParse(wrong).success, String(wrong));
});

test.run();
