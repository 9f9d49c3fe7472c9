import assert from 'node:assert/strict';
import { suite } from 'uvu';
import {
  createInvitation,
  createJoinRequest,
  openInvitation,
  openJoinRequest,
  type SignedInvitation,
} from '../../src/config/invitation.ts';
import { entryFor } from '../../src/config/project.ts';
import { createRoster } from '../../src/config/roster-file.ts';
import { admitSuccession, createSuccession, openSuccession } from '../../src/config/successor.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../src/protocol/identity.ts';
import { signObject } from '../../src/protocol/signed.ts';

const test = suite('invitations, their answers, and successors');

const identity = (name: string, role: Role): Identity =>
  createIdentity(partyIdSchema.parse(name), role, systemRandom(32));
const now = Date.UTC(2024, 0, 1);
const sums = identity('sums', 'facilitator');
const url = 'https://sums.example.org:8443';
const roster = createRoster([entryFor(sums, url), entryFor(identity('south', 'data-owner'))]);
const guest = { name: partyIdSchema.parse('north'), role: 'data-owner', expires: now + 1000 } as const;
const invitation = createInvitation(sums, roster, guest, systemRandom);
const north = identity('north', 'data-owner');
const answer = createJoinRequest(invitation, north);
/** As it comes from a file. */
const read = (document: unknown): unknown => JSON.parse(JSON.stringify(document));

/** Every field of a document, by its path. */
function leaves(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, each]) => leaves(each, [...path, name]));
}

function changed(document: unknown, path: readonly string[], change: (value: unknown) => unknown): unknown {
  const copy = read(document);
  let here = copy as Record<string, unknown>;
  for (const part of path.slice(0, -1)) here = here[part] as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  here[last] = change(here[last]);
  return copy;
}

/** Another value of the same kind: a letter of a text exchanged, a number one more. */
const other = (value: unknown): unknown =>
  typeof value === 'string' ? `${value.startsWith('A') ? 'B' : 'A'}${value.slice(1)}` : Number(value) + 1;

/** Whatever is changed in a document, it is refused for what it is or for its signature. */
function refusesEveryChange(document: unknown, open: (document: unknown) => unknown): void {
  open(read(document));
  const codes = new Set([
    'message_invalid',
    'signature_invalid',
    'identity_invalid',
    'party_unknown',
    'role_forbidden',
  ]);
  const paths = leaves(document);
  assert.ok(paths.length >= 9);
  for (const path of paths)
    assert.throws(
      () => open(changed(document, path, other)),
      (error: { code?: string }) => codes.has(error.code ?? ''),
      path.join('.'),
    );
  assert.throws(() => open(changed(document, ['more'], () => 1)), { code: 'message_invalid' });
  for (const nothing of [null, 1, [], {}]) assert.throws(() => open(nothing), { code: 'message_invalid' });
}

test('an invitation names the facilitator and everybody, and no letter of it can be changed', () => {
  const opened = openInvitation(read(invitation), now);
  assert.deepEqual(opened.invitation.facilitator, { name: 'sums', url, fingerprint: sums.fingerprint });
  assert.deepEqual(opened.invitation.roster, roster.parties);
  refusesEveryChange(invitation, (document) => openInvitation(document, now));
  const again = createInvitation(sums, roster, guest, systemRandom);
  assert.notEqual(again.invitation.nonce, invitation.invitation.nonce);
});

test('an invitation is good until it expires, and is for a name that is free', () => {
  assert.ok(openInvitation(read(invitation), guest.expires));
  const late = { code: 'signature_expired', message: /^the invitation of north was good until 2024-01-01T00:00:01/ };
  assert.throws(() => openInvitation(read(invitation), guest.expires + 1), late);
  assert.throws(() => openJoinRequest(read(answer), [invitation], guest.expires + 1), late);
  const taken = { ...guest, name: partyIdSchema.parse('south') };
  assert.throws(() => createInvitation(sums, roster, taken, systemRandom), { code: 'identity_invalid' });
  const hidden = createRoster([entryFor(sums)]);
  assert.throws(() => createInvitation(sums, hidden, guest, systemRandom), { code: 'config_invalid', field: 'url' });
});

test('an invitation by somebody else on its roster, or under another facilitator, is refused', () => {
  const intruder = identity('sums', 'facilitator');
  const { invitation: said } = invitation;
  const forged = { invitation: said, signature: signObject(intruder, 'invitation', said) };
  assert.throws(() => openInvitation(read(forged), now), { code: 'signature_invalid' });
  const second = identity('second', 'facilitator');
  const two = createRoster([...roster.parties, entryFor(second)]);
  const mixed = { ...said, roster: two.parties, facilitator: { ...said.facilitator, fingerprint: second.fingerprint } };
  const crossed = { invitation: mixed, signature: signObject(sums, 'invitation', mixed) };
  assert.throws(() => openInvitation(read(crossed), now), {
    code: 'signature_invalid',
    message: /not signed with the key of sums/,
  });
});

test('an answer is for its own invitation, by the key that it names', () => {
  const party = openJoinRequest(read(answer), [createInvitation(sums, roster, guest, systemRandom), invitation], now);
  assert.deepEqual([party.name, party.role, party.publicKey], ['north', 'data-owner', north.publicKey]);
  refusesEveryChange(answer, (document) => openJoinRequest(document, [invitation], now));
  const another = createInvitation(sums, roster, guest, systemRandom);
  assert.throws(() => openJoinRequest(read(answer), [another], now), {
    code: 'signature_invalid',
    message: /was not sent from here/,
  });
  for (const [name, role] of [
    ['west', 'data-owner'],
    ['north', 'model-owner'],
  ] as const) {
    const wrong = createJoinRequest(invitation, identity(name, role));
    assert.throws(() => openJoinRequest(read(wrong), [invitation], now), { code: 'role_forbidden' });
  }
  const { join } = answer;
  const stolen = { join, signature: signObject(identity('north', 'data-owner'), 'invitation', join) };
  assert.throws(() => openJoinRequest(read(stolen), [invitation], now), { code: 'signature_invalid' });
});

test('neither an invitation nor its answer passes for the other', () => {
  const swapped = { join: invitation.invitation, signature: invitation.signature };
  assert.throws(() => openJoinRequest(read(swapped), [invitation], now), { code: 'message_invalid' });
  const back = { invitation: answer.join, signature: answer.signature } as unknown as SignedInvitation;
  assert.throws(() => openInvitation(read(back), now), { code: 'message_invalid' });
});

test('a successor is named by the present key and proves its own', () => {
  const members = createRoster([...roster.parties, entryFor(north)]);
  const next = identity('north', 'data-owner');
  const succession = createSuccession(north, next, now);
  refusesEveryChange(succession, (document) => openSuccession(document, members));
  const after = admitSuccession(members, openSuccession(read(succession), members));
  const entry = after.parties.find(({ name }) => name === 'north');
  assert.deepEqual([entry?.key, entry?.previous], [next.publicKey, [north.publicKey]]);

  const last = identity('north', 'data-owner');
  const twice = admitSuccession(after, openSuccession(read(createSuccession(next, last, now)), after));
  assert.deepEqual(twice.parties.find(({ name }) => name === 'north')?.previous, [next.publicKey, north.publicKey]);
  // The first statement is history now, and the old key names nobody any more.
  assert.throws(() => admitSuccession(twice, openSuccession(read(succession), twice)), { code: 'identity_invalid' });
  const late = createSuccession(north, identity('north', 'data-owner'), now);
  assert.throws(() => admitSuccession(after, openSuccession(read(late), after)), { code: 'identity_invalid' });
  const { successor } = createSuccession(next, identity('north', 'data-owner'), now);
  const byOld = { successor, signature: signObject(north, 'successor', successor), proof: succession.proof };
  assert.throws(() => openSuccession(read(byOld), after), {
    code: 'signature_invalid',
    message: /not signed with the key it follows/,
  });
  const taken = createSuccession(next, north, now);
  assert.throws(() => admitSuccession(after, openSuccession(read(taken), after)), {
    code: 'identity_invalid',
    message: /named twice/,
  });
  assert.throws(() => openSuccession(read(succession), roster), { code: 'party_unknown' });
});

test.run();
