/** What is said about a round, there and back through JSON, and what none of it may be. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import {
  type RoundDescriptor,
  roundViewSchema,
  type SignedRound,
  signedManifestSchema,
  signedReceiptSchema,
  signedRoundSchema,
} from '../../src/protocol/round-messages.ts';
import { changesOf, without } from '../support/changes.ts';
import { anna, manifestWith, receiptFor, signedRound } from './samples.ts';

const test = suite('messages about rounds');

const travelled = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const roundWith = (changes: object): unknown => ({
  ...signedRound,
  descriptor: { ...signedRound.descriptor, ...changes },
});

function issues(message: unknown): readonly string[] {
  const parsed = signedRoundSchema.safeParse(message);
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`);
}

test('a round travels unchanged, every parameter to the last bit', () => {
  assert.deepEqual(signedRoundSchema.parse(travelled(signedRound)), signedRound);
  const parameters = encodeParameters([0, 5e-324, -1.7976931348623157e308, 0.1 + 0.2, 2 ** 53 + 2, 1 / 3]);
  const round = roundWith({ parameters, roster: ['anna'] });
  assert.deepEqual(signedRoundSchema.parse(travelled(round)), round);
});

test('a round that lacks a field, has one too many, or something of another kind in one is refused, naming it', () => {
  const { descriptor } = signedRound;
  for (const field of Object.keys(descriptor) as (keyof RoundDescriptor)[]) {
    const said = issues({ ...signedRound, descriptor: without(descriptor, field) });
    assert.ok(said.length > 0 && said.every((each) => each.startsWith(`descriptor.${field}: `)), said.join());
    // A round without parameters has an empty text of them.
    const empty = field === 'parameters' ? [] : [''];
    for (const wrong of [null, true, ...empty, {}, [[]], -1, 1e300, 'a\u0000'])
      assert.match(issues(roundWith({ [field]: wrong }))[0] ?? '', new RegExp(`^descriptor\\.${field}[.:]`), field);
  }
  for (const [changes, issue] of [
    [{ round: 0 }, 'descriptor.round: too_small'],
    [{ round: 1.5 }, 'descriptor.round: invalid_type'],
    [{ round: 1_000_000_001 }, 'descriptor.round: too_big'],
    [{ quorum: 1 }, 'descriptor.quorum: too_small'],
    [{ roster: [] }, 'descriptor.roster: custom'],
    [{ roster: ['anna', 'anna'] }, 'descriptor.roster: custom'],
    [{ deadline_seconds: 0 }, 'descriptor.deadline_seconds: too_small'],
    [{ deadline_seconds: 86_401 }, 'descriptor.deadline_seconds: too_big'],
    [{ parameters: [1] }, 'descriptor.parameters: invalid_type'],
    [{ parameters: 'AAAA' }, 'descriptor.parameters: custom'],
    [{ more: 1 }, 'descriptor: unrecognized_keys'],
  ] as const)
    assert.deepEqual(issues(roundWith(changes)), [issue], JSON.stringify(changes));
  assert.deepEqual(issues({ ...signedRound, more: 1 }), [': unrecognized_keys']);
});

test('a list is cut at its first mistake, which is named, and at its greatest length', () => {
  const wrong: unknown[] = Array.from({ length: 300 }, (_, index) => `owner-${index}`);
  for (const index of [299, 150, 17]) {
    wrong[index] = 7;
    assert.deepEqual(issues(roundWith({ roster: wrong })), [`descriptor.roster.${index}: invalid_type`]);
  }
  const names = Array.from({ length: 10_001 }, (_, index) => `owner-${index}`);
  assert.deepEqual(issues(roundWith({ roster: names })), ['descriptor.roster: too_big']);
  assert.deepEqual(issues(roundWith({ roster: names.slice(1) })), []);
});

test('a message with one thing changed is another message or none: nothing is repaired or left out in reading', () => {
  for (const { path, value } of changesOf<SignedRound>(signedRound)) {
    const parsed = signedRoundSchema.safeParse(value);
    if (parsed.success) assert.deepEqual(parsed.data, value, path);
  }
});

test('what a facilitator signs is read as it was written, and what is said beside is ignored', () => {
  const manifest = manifestWith();
  assert.deepEqual(signedManifestSchema.parse(travelled(manifest)), manifest);
  assert.deepEqual(signedManifestSchema.parse({ ...manifest, more: 1 }), manifest);
  const receipt = receiptFor(anna);
  assert.deepEqual(signedReceiptSchema.parse(travelled(receipt)), receipt);
  assert.deepEqual(signedReceiptSchema.parse({ ...receipt, more: 1 }), receipt);
  const [line] = manifest.manifest.contributions;
  assert.ok(line !== undefined);
  for (const changes of [
    { count: 0 },
    { count: 1.5 },
    { round: 0 },
    { contributions: [{ ...line, bytes: 0 }] },
    { contributions: [{ ...line, digest: line.digest.slice(1) }] },
    { contributions: [{ ...line, signature: undefined }] },
    { contributions: [{ ...line, signature: { ...line.signature, more: 1 } }] },
    { aggregate_digest: '' },
  ])
    assert.ok(
      !signedManifestSchema.safeParse({ ...manifest, manifest: { ...manifest.manifest, ...changes } }).success,
      JSON.stringify(changes),
    );
  for (const changes of [{ bytes: 0 }, { bytes: '1' }, { round: 0 }, { owner: '' }, { digest: 7 }])
    assert.ok(!signedReceiptSchema.safeParse({ ...receipt, receipt: { ...receipt.receipt, ...changes } }).success);
  for (const { path, value } of changesOf(receipt)) {
    const parsed = signedReceiptSchema.safeParse(value);
    if (parsed.success && !path.endsWith('added')) assert.deepEqual(parsed.data, value, path);
  }
});

test('a view shows a round open, closed or abandoned', () => {
  const open = {
    job: 'job',
    round: 2,
    status: 'open',
    signed: signedRound,
    roster: ['anna', 'bert', 'cora'],
    opened_at: '2024-01-01T00:00:00.000Z',
    deadline: '2024-01-01T00:00:00.500Z',
    contributors: ['anna'],
    missing: ['bert', 'cora'],
  };
  const closed = { ...open, status: 'closed', manifest: manifestWith() };
  const forgotten = { ...without(open, 'signed'), status: 'abandoned', reason: 'no quorum' };
  for (const view of [open, closed, forgotten]) {
    assert.deepEqual(roundViewSchema.parse(travelled(view)), view);
    assert.deepEqual(roundViewSchema.parse({ ...view, more: 1 }), view);
  }
  for (const changes of [
    { status: 'lost' },
    { round: 0 },
    { signed: null },
    { signed: { ...signedRound, more: 1 } },
    { roster: ['a b'] },
    { contributors: 'anna' },
    { missing: undefined },
    { manifest: {} },
    { deadline: 7 },
  ])
    assert.ok(!roundViewSchema.safeParse({ ...open, ...changes }).success, JSON.stringify(changes));
});

test.run();
