/** Tag keys and tags: what two agree on, and what they compute from it. */
import assert from 'node:assert/strict';
import { createHash, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { suite } from 'uvu';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { createTagSecret, type TagContext, tagOf, tagsOf } from '../../src/protocol/tags.ts';

const test = suite('tags');

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const ownerId = (text: string): OwnerId => ownerIdSchema.parse(text);

// RFC 7748, section 6.1.
const alice = {
  secret: hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  public: hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'),
};
const bob = {
  secret: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  public: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
};
const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');

const north = ownerId('north.hospital');
const modelOwner = createTagSecret(alice.secret);
const dataOwner = createTagSecret(bob.secret);

test('two sides agree as RFC 7748 says, whichever begins', () => {
  assert.equal(modelOwner.publicKey, alice.public.toString('base64url'));
  assert.equal(dataOwner.publicKey, bob.public.toString('base64url'));
  const key = modelOwner.agree(dataOwner.publicKey, north);
  assert.ok(key.equals(dataOwner.agree(modelOwner.publicKey, north)));

  // The two public keys in ascending order: 85… before de….
  const info = Buffer.concat([Buffer.from('sealsum tag key v1'), alice.public, bob.public, Buffer.from(north)]);
  assert.deepEqual(key.export(), Buffer.from(hkdfSync('sha256', shared, '', info, 32)));
});

test('another owner or another key gives another tag key', () => {
  const key = modelOwner.agree(dataOwner.publicKey, north);
  assert.ok(!key.equals(modelOwner.agree(dataOwner.publicKey, ownerId('south.hospital'))));
  const other = createTagSecret(new Uint8Array(32).fill(7));
  assert.ok(!key.equals(modelOwner.agree(other.publicKey, north)));
  assert.ok(!key.equals(other.agree(dataOwner.publicKey, north)));
});

test('a public key that is not canonical, or of small order, agrees with nobody', () => {
  const refused = { code: 'identity_invalid', field: 'tag_key' };
  const point = (value: bigint): Buffer => hex(value.toString(16).padStart(64, '0')).reverse();
  const prime = 2n ** 255n - 19n;
  const smallOrder = [
    point(0n),
    point(1n),
    point(prime - 1n),
    // The two coordinates of order 8, from "May the Fourth Be With You" (Cremers and Jackson 2019), as in libsodium.
    hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'),
    hex('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'),
  ];
  for (const bytes of smallOrder)
    assert.throws(() => modelOwner.agree(bytes.toString('base64url'), north), {
      ...refused,
      message: 'the tag key of the other side: a point of small order, with which no secret can be shared',
    });
  assert.ok(modelOwner.agree(point(9n).toString('base64url'), north).type === 'secret');
  for (const value of [prime, prime + 1n, prime + 9n, 2n ** 255n - 1n, 2n ** 255n, 2n ** 255n + 9n, 2n ** 256n - 1n])
    assert.throws(() => modelOwner.agree(point(value).toString('base64url'), north), {
      ...refused,
      message: 'the tag key of the other side: expected a coordinate below 2^255 − 19, in 255 bits',
    });
  const good = dataOwner.publicKey;
  assert.equal(good.length, 43);
  // The last character carries four bits that mean something and two that do not.
  const loose = good.slice(0, -1) + String.fromCharCode(good.charCodeAt(42) + 1);
  assert.deepEqual(Buffer.from(loose, 'base64url'), Buffer.from(good, 'base64url'));
  for (const text of ['', loose, `${good}=`, `${good}A`, `${good}\n`, ` ${good}`, bob.public.toString('base64')])
    assert.throws(() => modelOwner.agree(text, north), refused);
  for (let length = 0; length < 70; length += 1)
    if (length !== 32) {
      assert.throws(() => modelOwner.agree(Buffer.alloc(length, 9).toString('base64url'), north), refused);
      assert.throws(() => createTagSecret(new Uint8Array(length)), { code: 'identity_invalid', field: 'seed' });
    }
});

test('neither a secret nor a key shows its bytes', () => {
  const key = modelOwner.agree(dataOwner.publicKey, north);
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key)])
    assert.ok(!shown.includes(key.export().toString('hex').slice(0, 8)));
  const secret = inspect(modelOwner, { depth: 9, showHidden: true }) + JSON.stringify(modelOwner);
  assert.ok(!secret.includes(alice.secret.toString('hex').slice(0, 8)));
  assert.ok(!secret.includes(alice.secret.toString('base64url').slice(0, 8)));
});

const contextOf = (round: number): TagContext => ({
  job: sha256('job'),
  round,
  roundDigest: sha256(`round ${round}`),
});

test('tags are those of HMAC-SHA-256, to the bit', () => {
  const key = modelOwner.agree(dataOwner.publicKey, north);
  assert.equal(tagOf(key, contextOf(1), 0), 0x0718ceb51af0fd66n);
  assert.equal(tagOf(key, contextOf(2), 0), 0x0035ee12e44ce9ecn);
  const accumulated = createHash('sha256');
  for (const round of [1, 2, 1_000_000_000]) {
    const tags = tagsOf(key, contextOf(round), 1000);
    for (const [index, tag] of tags.entries()) {
      assert.equal(tag, tagOf(key, contextOf(round), index));
      accumulated.update(hex(tag.toString(16).padStart(16, '0')));
    }
  }
  // Of Python 3.11's hmac and hashlib:
  //
  //   keys = sorted([alice_public, bob_public])
  //   prk = hmac.digest(bytes(32), shared, 'sha256')
  //   key = hmac.digest(prk, b'sealsum tag key v1' + keys[0] + keys[1] + b'north.hospital' + b'\x01', 'sha256')
  //   job = sha256(b'job').digest()
  //   for round in (1, 2, 1_000_000_000):
  //       digest = sha256(b'round %d' % round).digest()
  //       for index in range(1000):
  //           message = b'sealsum tag v1' + job + round.to_bytes(4, 'big') + digest + index.to_bytes(4, 'big')
  //           accumulated.update(hmac.digest(key, message, 'sha256')[:8])
  assert.equal(accumulated.digest('hex'), 'd4a3dc10f5d0875e0f379f0cfa1fcabf45ecc4e2e837065b1abd9a479d33f31a');
});

test('another job, round, round descriptor, index or owner gives other tags', () => {
  const keys = [north, ownerId('south')].map((owner) => modelOwner.agree(dataOwner.publicKey, owner));
  const seen = new Set<bigint>();
  let drawn = 0;
  for (const key of keys)
    for (const job of [sha256('a'), sha256('b')])
      for (const round of [0, 1, 256, 0xffff_ffff])
        for (const roundDigest of [sha256('a'), sha256('b')])
          for (const index of [0, 1, 256, 0xffff_ffff]) {
            seen.add(tagOf(key, { job, round, roundDigest }, index));
            drawn += 1;
          }
  assert.equal(seen.size, drawn);
  // Some of them are above 2^63: they are not signed.
  assert.ok([...seen].some((tag) => tag >= 1n << 63n));
});

test('refuses a context that is not canonical, naming the field', () => {
  const key = modelOwner.agree(dataOwner.publicKey, north);
  const context = contextOf(1);
  for (const digest of ['', sha256('a').toUpperCase(), sha256('a').slice(1), `${sha256('a')}\n`, `0${sha256('a')}`]) {
    assert.throws(() => tagOf(key, { ...context, job: digest }, 0), { code: 'message_invalid', field: 'job' });
    assert.throws(() => tagOf(key, { ...context, roundDigest: digest }, 0), {
      code: 'message_invalid',
      field: 'roundDigest',
    });
  }
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 32, Infinity]) {
    assert.throws(() => tagOf(key, { ...context, round: wrong }, 0), { code: 'message_invalid', field: 'round' });
    assert.throws(() => tagOf(key, context, wrong), { code: 'message_invalid', field: 'index' });
  }
});

test.run();
