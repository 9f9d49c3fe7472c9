/** Everybody who belongs: found by name, role and key, now and under earlier keys. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type PartyId, partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createParty, roles } from '../../src/protocol/identity.ts';
import { createParties } from '../../src/protocol/parties.ts';
import { testIdentity } from '../support/identities.ts';

const test = suite('parties');

const relay = testIdentity('relay', 'facilitator');
const clinic = testIdentity('clinic', 'model-owner');
const [anna, annaBefore, annaFirst] = [0, 1, 2].map((generation) => testIdentity('anna', 'data-owner', generation)) as [
  ReturnType<typeof testIdentity>,
  ReturnType<typeof testIdentity>,
  ReturnType<typeof testIdentity>,
];
const bert = testIdentity('bert', 'data-owner');
const members = [relay, clinic, anna, bert];

test('everybody is found by name and role, and by the present key', () => {
  const parties = createParties(members, [annaBefore, annaFirst]);
  assert.deepEqual(parties.all, members);
  for (const member of members) {
    assert.equal(parties.named(member.name, member.role), member);
    assert.equal(parties.byKey(member.fingerprint), member);
  }
  // Who speaks now must do so with the present key.
  assert.equal(parties.byKey(annaBefore.fingerprint), undefined);
  assert.equal(parties.byKey(testIdentity('zoe', 'data-owner').fingerprint), undefined);
});

test('the keys of a party are the present one, then the earlier ones as they were named', () => {
  const parties = createParties(members, [annaBefore, annaFirst]);
  assert.deepEqual(parties.keysOf(anna.name), [anna, annaBefore, annaFirst]);
  assert.deepEqual(parties.keysOf(bert.name), [bert]);
  assert.deepEqual(parties.keysOf('zoe' as PartyId), []);
  for (const name of ['constructor', 'toString', 'hasOwnProperty'] as PartyId[]) {
    assert.deepEqual(parties.keysOf(name), []);
    assert.throws(() => parties.named(name, 'data-owner'), { code: 'party_unknown' });
  }
});

test('an unknown name and a name in another role are refused', () => {
  const parties = createParties(members);
  assert.throws(() => parties.named('zoe' as PartyId, 'data-owner'), {
    code: 'party_unknown',
    field: 'party',
    message: 'the roster file names no zoe',
  });
  for (const member of members)
    for (const role of roles.filter((each) => each !== member.role))
      assert.throws(() => parties.named(member.name, role), {
        code: 'role_forbidden',
        field: 'party',
        message: `${member.name} is a ${member.role}, not a ${role}`,
      });
  assert.throws(() => createParties([]).named(anna.name, 'data-owner'), { code: 'party_unknown' });
});

test('no name and no key is there twice, and an older key is of somebody who is here in the same role', () => {
  const refused = (message: string): object => ({ code: 'identity_invalid', message });
  const twin = createParty(partyIdSchema.parse('twin'), 'data-owner', anna.publicKey);
  const converted = createParty(anna.name, 'model-owner', annaBefore.publicKey);
  assert.throws(() => createParties([...members, annaBefore]), refused('anna is named twice'));
  assert.throws(() => createParties([...members, twin]), refused('the key of twin is named twice'));
  assert.throws(() => createParties(members, [anna]), refused('the key of anna is named twice'));
  assert.throws(() => createParties(members, [annaBefore, annaBefore]), refused('the key of anna is named twice'));
  assert.throws(
    () => createParties(members, [testIdentity('zoe', 'data-owner')]),
    refused('an older key is of zoe as data-owner, which nobody is'),
  );
  assert.throws(
    () => createParties(members, [converted]),
    refused('an older key is of anna as model-owner, which nobody is'),
  );
  // Another's older key, under which that other could sign in this one's name.
  assert.throws(
    () => createParties(members, [createParty(bert.name, 'data-owner', anna.publicKey)]),
    refused('the key of bert is named twice'),
  );
});

test('whatever the order in which they are named, the same are found', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(members, { minLength: members.length }), (shuffled) => {
      const parties = createParties(shuffled, [annaBefore]);
      for (const member of members) {
        assert.equal(parties.named(member.name, member.role), member);
        assert.equal(parties.byKey(member.fingerprint), member);
        assert.equal(parties.keysOf(member.name)[0], member);
      }
    }),
    { numRuns: 24 },
  );
});

test.run();
