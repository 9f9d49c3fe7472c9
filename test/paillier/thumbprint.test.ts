import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import { publicKeyThumbprint } from '../../src/paillier/thumbprint.ts';
import { smallKeys } from './keys.ts';

const test = suite('thumbprint');

test('is that of RFC 7638 over the required members of the JWK', () => {
  const { publicKey } = smallKeys;
  const { n } = publicKeyToJwk(publicKey);
  const expected = createHash('sha256').update(`{"kty":"DAJ","n":"${n}"}`).digest('base64url');
  assert.equal(publicKeyThumbprint(publicKey), expected);
  assert.match(expected, /^[A-Za-z0-9_-]{43}$/);
});

test.run();
