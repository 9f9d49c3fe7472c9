/** The name of a round: the digest of its descriptor, however often and from wherever it is asked for. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { roundDigest, verifyRound } from '../../src/protocol/round-digest.ts';
import type { RoundDescriptor, SignedRound } from '../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import { changesOf } from '../support/changes.ts';
import { anna, modelOwner, parties, signedRound } from './samples.ts';

const test = suite('round digests');

const copyOf = ({ descriptor, signature }: SignedRound): SignedRound => ({
  descriptor: structuredClone(descriptor),
  signature,
});

test('it is what the signature is of, asked for or checked, once or twice', () => {
  const expected = objectDigest('round', signedRound.descriptor);
  const { descriptor } = copyOf(signedRound);
  assert.deepEqual([roundDigest(descriptor), roundDigest(descriptor)], [expected, expected]);
  const verified = copyOf(signedRound);
  assert.equal(verifyRound(parties, modelOwner.name, verified), expected);
  assert.equal(roundDigest(verified.descriptor), expected);
  assert.equal(verifyRound(parties, modelOwner.name, verified), expected);
});

test('every other descriptor has another name', () => {
  const expected = roundDigest(signedRound.descriptor);
  for (const { path, value } of changesOf(signedRound.descriptor))
    if (value instanceof Object) assert.notEqual(roundDigest(value), expected, path);
});

test('what has a name does not change any more, at any depth', () => {
  const { descriptor } = copyOf(signedRound);
  const groups = [{ facilitator: 'relay', owners: ['anna'] }];
  const grouped = { ...descriptor, groups } as unknown as RoundDescriptor;
  roundDigest(grouped);
  for (const change of [
    () => Object.assign(grouped, { round: 7 }),
    () => Object.assign(grouped.roster, ['mallory']),
    () => groups[0]?.owners.push('mallory'),
  ])
    assert.throws(change, TypeError);
});

test('a name that was asked for before vouches for nobody', () => {
  const forged = { ...copyOf(signedRound), signature: signObject(anna, 'round', signedRound.descriptor) };
  roundDigest(forged.descriptor);
  assert.throws(() => verifyRound(parties, modelOwner.name, forged), { code: 'signature_invalid' });
  const other = copyOf(signedRound);
  const changed = { ...other, descriptor: { ...other.descriptor, deadline_seconds: 7 } };
  assert.throws(() => verifyRound(parties, modelOwner.name, changed), { code: 'signature_invalid' });
  assert.equal(roundDigest(changed.descriptor), objectDigest('round', changed.descriptor));
});

test.run();
