/** An audit log: written with what it tells of, and every change of any field of any entry is found and named. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { JobId, PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import type { AuditBody, AuditEntry } from '../../src/storage/audit.ts';
import { auditEntries, createAuditLog, readAuditLog } from '../../src/storage/audit-log.ts';
import { type NotedEntry, verifyLog } from '../../src/storage/audit-verification.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createTestClock } from '../support/clock.ts';
import { oddText } from './odd-text.ts';
import { onEach } from './places.ts';
import { eventOf } from './samples.ts';

const test = suite('audit log');

const name = 'facilitator' as PartyId;
const identity = createIdentity(name, 'facilitator', new Uint8Array(32).fill(1));
const successor = createIdentity(name, 'facilitator', new Uint8Array(32).fill(2));
const stranger = createIdentity('mallory' as PartyId, 'facilitator', new Uint8Array(32).fill(3));
const zeros = '0'.repeat(64);

/** RFC 8785 has no way to write half a surrogate pair. */
const signable = oddText.map((text) => Buffer.from(text, 'utf8').toString('utf8'));

const bodies: readonly AuditBody[] = [
  { type: 'job.created', job: 'a' },
  { type: 'round.opened', job: 'a', round: 1, details: { deadline: 60.5, quorum: 2 } },
  { type: 'contribution.accepted', job: 'a', round: 1, owner: 'anna', details: { digest: 'c'.repeat(64) } },
  { type: 'round.closed', job: 'a', round: 1 },
  { type: 'job.ended', job: 'a' },
];

function broken(...words: readonly RegExp[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SealsumError, String(error));
    assert.equal(error.code, 'log_broken', error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  };
}

/** A log with these entries, one commit each. */
async function written(entries: readonly AuditBody[] = bodies): Promise<readonly AuditEntry[]> {
  await using database = await openDatabase(':memory:', { role: 'facilitator' });
  const store = createFacilitatorStore(database, createAuditLog(identity, createTestClock()));
  for (const body of entries) await store.commit({ events: [], audit: [body] });
  return await readAuditLog(database, 0, 1000);
}

function readAll(database: Database): Promise<readonly AuditEntry[]> {
  return database.read(async ({ rows }) => {
    const entries: AuditEntry[] = [];
    for await (const entry of auditEntries(rows)) entries.push(entry);
    return entries;
  });
}

onEach(test, 'audit log', 'entries follow from each other, through restarts and a new key', async (place) => {
  const append = async (key: typeof identity, body: AuditBody): Promise<void> => {
    await using database = await place.open('facilitator');
    const store = createFacilitatorStore(database, createAuditLog(key, createTestClock()));
    await store.commit({ events: [], audit: [body, body] });
    await store.commit({ events: [eventOf('a' as JobId)] });
    if (!place.outlivesProcess) {
      const log = await verifyLog(await readAll(database), [identity]);
      assert.deepEqual([log.entries, log.first, log.last, log.anchor], [2, 1, 2, zeros]);
    }
  };
  if (!place.outlivesProcess) {
    await append(identity, { type: 'once' });
    return;
  }
  await append(identity, { type: 'first' });
  await append(identity, { type: 'second' });
  await append(successor, { type: 'third' });
  await using database = await place.open('facilitator');
  const entries = await readAll(database);
  assert.deepEqual(
    entries.map(({ sequence, body }) => `${sequence} ${body.type}`),
    ['1 first', '2 first', '3 second', '4 second', '5 third', '6 third'],
  );
  const log = await verifyLog(entries, [successor, identity]);
  assert.equal(log.head, entries[5]?.hash);
  await assert.rejects(verifyLog(entries, [identity]), broken(/entry 5 names a key that is none of the party's/));
  await assert.rejects(verifyLog(entries, [successor]), broken(/entry 1 names a key/));
  await assert.rejects(verifyLog(entries, [stranger]), broken(/entry 1 names a key/));
  assert.deepEqual(
    (await readAuditLog(database, 2, 3)).map(({ sequence }) => sequence),
    [3, 4, 5],
  );
});

onEach(test, 'audit log', 'any texts and numbers in an entry are verified as they were written', async (place) => {
  const anyBody: fc.Arbitrary<AuditBody> = fc.record(
    {
      type: signable,
      round: fc.nat(),
      details: fc.dictionary(
        fc.string({ maxLength: 5 }),
        fc.oneof(signable, fc.double({ noNaN: true, noDefaultInfinity: true })),
      ),
    },
    { requiredKeys: ['type'] },
  );
  await using database = await place.open('facilitator');
  const store = createFacilitatorStore(database, createAuditLog(identity, createTestClock()));
  const some = fc.sample(anyBody, 50);
  for (const body of some) await store.commit({ events: [], audit: [body] });
  assert.equal((await verifyLog(await readAll(database), [identity])).entries, some.length);
});

onEach(test, 'audit log', 'the newest entries are kept, and the first of them is the anchor', async (place) => {
  await using database = await place.open('facilitator');
  const clock = createTestClock();
  const store = createFacilitatorStore(database, createAuditLog(identity, clock, { keep: 300 }));
  const page = Array.from({ length: 250 }, (_each, index): AuditBody => ({ type: 'any', round: index }));
  let earlier: AuditEntry | undefined;
  for (let commit = 0; commit < 9; commit++) {
    await store.commit({ events: [], audit: page });
    if (commit === 6) [earlier] = await readAuditLog(database, 1699, 1);
  }
  const entries = await readAll(database);
  const log = await verifyLog(entries, [identity]);
  // At 2000 the last were deleted, and 250 came after.
  assert.deepEqual([log.entries, log.first, log.last], [550, 1701, 2250]);
  assert.equal(log.anchor, earlier?.hash);
  assert.equal(log.head, entries.at(-1)?.hash);
});

test('an empty log is whole', async () => {
  assert.deepEqual(await verifyLog([], [identity]), { entries: 0, first: 0, last: 0, anchor: zeros, head: zeros });
  await assert.rejects(verifyLog([], []), broken(/no key/));
});

/** Another value of the same kind. */
function otherThan(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value !== 'string') throw new TypeError('neither a number nor a text');
  const last = value.at(-1) ?? '';
  return value.slice(0, -1) + (last === '0' ? '1' : '0');
}

/** Every way to change one leaf of an entry, to leave one out, or to add one: the path, and what comes of it. */
function* tampered(value: Readonly<Record<string, unknown>>, path = ''): Generator<[string, Record<string, unknown>]> {
  for (const [key, inner] of Object.entries(value)) {
    yield [`${path}${key} left out`, Object.fromEntries(Object.entries(value).filter(([each]) => each !== key))];
    if (typeof inner === 'object' && inner !== null)
      for (const [where, changed] of tampered(inner as Record<string, unknown>, `${path}${key}.`))
        yield [where, { ...value, [key]: changed }];
    else yield [`${path}${key} changed`, { ...value, [key]: otherThan(inner) }];
  }
  yield [`${path} added to`, { ...value, added: 1 }];
}

test('a change of any field of any entry is found, and the entry named', async () => {
  const entries = await written();
  let changes = 0;
  for (const [index, entry] of entries.entries())
    for (const [what, changed] of tampered({ ...entry })) {
      changes += 1;
      const log = entries.toSpliced(index, 1, changed as unknown as AuditEntry);
      await assert.rejects(
        verifyLog(log, [identity, successor]),
        // One whose number was changed is called by that number, if it is the first.
        broken(
          new RegExp(
            `entr(y|ies) ${index + 1}\\b|entry after ${index}\\b|the first entry|entry ${index + 2} was changed`,
          ),
        ),
        `${what} in entry ${index + 1}`,
      );
    }
  assert.ok(changes > 80, String(changes));
});

test('a change that is signed anew by somebody else, or hashed anew, is found', async () => {
  const entries = await written();
  const [, second] = entries;
  assert.ok(second !== undefined);
  const { sequence, at, body, previous, key } = second;
  const said = { sequence, at, body, previous, key };
  const forged = { ...said, body: { ...said.body, round: 9 } };
  const hashed: AuditEntry = {
    ...forged,
    hash: objectDigest('audit entry', forged),
    signature: second.signature,
  };
  await assert.rejects(verifyLog(entries.toSpliced(1, 1, hashed), [identity]), broken(/signature of entry 2/));
  const byStranger = { ...forged, key: stranger.fingerprint };
  const signed: AuditEntry = {
    ...byStranger,
    hash: objectDigest('audit entry', byStranger),
    signature: signObject(stranger, 'audit entry', byStranger).value,
  };
  await assert.rejects(verifyLog(entries.toSpliced(1, 1, signed), [identity]), broken(/entry 2 names a key/));
  // In the party's own name, which has the key: the next entry does not follow from it.
  const rewritten: AuditEntry = {
    ...forged,
    hash: objectDigest('audit entry', forged),
    signature: signObject(identity, 'audit entry', forged).value,
  };
  await assert.rejects(
    verifyLog(entries.toSpliced(1, 1, rewritten), [identity]),
    broken(/entry 3 does not follow from entry 2/),
  );
  // A signature of another kind is none.
  const otherKind = { ...second, signature: signObject(identity, 'receipt', said).value };
  await assert.rejects(verifyLog(entries.toSpliced(1, 1, otherKind), [identity]), broken(/signature of entry 2/));
});

test('entries left out, repeated, exchanged or cut off are found', async () => {
  const entries = await written();
  const [first, second, third, , fifth] = entries;
  assert.ok(first && second && third && fifth);
  const cases: readonly (readonly [log: readonly AuditEntry[], word: RegExp])[] = [
    [entries.toSpliced(1, 1), /entry 2 is missing/],
    [entries.toSpliced(1, 3), /entries 2 to 4 are missing/],
    [entries.toSpliced(1, 0, first), /entry 1 comes after entry 1: out of order/],
    [[first, third, second], /entry 2 is missing/],
    [[second, first], /entry 1 comes after entry 2/],
    [[{ ...first, previous: 'f'.repeat(64) }], /entry 1 names an entry before it/],
  ];
  for (const [log, word] of cases) await assert.rejects(verifyLog(log, [identity]), broken(word));
  // Without its ends a log is whole by itself: only who has noted an entry can tell.
  const noted: NotedEntry = { sequence: 5, hash: fifth.hash };
  await verifyLog(entries, [identity], noted);
  await verifyLog(entries.slice(3), [identity], noted);
  await verifyLog(entries.slice(0, 4), [identity]);
  await assert.rejects(
    verifyLog(entries.slice(0, 4), [identity], noted),
    broken(/ends with entry 4, and entry 5 was noted/),
  );
  await assert.rejects(verifyLog([], [identity], noted), broken(/is empty, and entry 5 was noted/));
  await assert.rejects(
    verifyLog(entries.slice(3), [identity], { sequence: 2, hash: second.hash }),
    broken(/begins with entry 4/),
  );
  const other = await written([{ type: 'another past' }, ...bodies.slice(1)]);
  await assert.rejects(verifyLog(other, [identity], noted), broken(/entry 5 is another than the one that was noted/));
});

test('what is no entry at all is named where it is found', async () => {
  await using database = await openDatabase(':memory:', { role: 'facilitator' });
  const store = createFacilitatorStore(database, createAuditLog(identity, createTestClock()));
  for (const body of bodies) await store.commit({ events: [], audit: [body] });
  const put = (text: string): Promise<unknown> =>
    database.write(({ rows }) =>
      rows
        .updateTable('audit')
        .set({ entry_json: text as never })
        .where('sequence', '=', 3)
        .execute(),
    );
  const [, , third, fourth] = await readAll(database);
  for (const text of ['{', 'null', '[]', '"3"', '{}', JSON.stringify(fourth)]) {
    await put(text);
    await assert.rejects(readAll(database), broken(/in place of entry 3/));
  }
  await put(JSON.stringify({ sequence: 3 }));
  await assert.rejects(
    database.read(({ rows }) => verifyLog(auditEntries(rows), [identity])),
    broken(/the entry after 2 is not in the form of one: at/),
  );
  await put(JSON.stringify(third));
  assert.equal((await database.read(({ rows }) => verifyLog(auditEntries(rows), [identity]))).entries, 5);
});

test.run();
