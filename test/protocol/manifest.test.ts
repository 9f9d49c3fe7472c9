/** Manifests: what makes one worthless, by its field, and what a facilitator can and cannot say with one. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { suite } from 'uvu';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { contributionStatement, sha256, verifyInclusion, verifyManifest } from '../../src/protocol/manifest.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import {
  type Manifest,
  type SignedManifest,
  type SignedReceipt,
  signedManifestSchema,
} from '../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import { changesOf } from '../support/changes.ts';
import { testIdentity } from '../support/identities.ts';
import {
  anna,
  bert,
  bytes,
  contributionOf,
  cora,
  facilitator,
  manifestWith,
  modelOwner,
  ownerIdentities,
  ownerOf,
  parties,
  receiptFor,
  roundDigest,
  signedRound,
} from './samples.ts';

const test = suite('manifest');

const check = (signed: SignedManifest, round = signedRound): readonly string[] =>
  verifyManifest(parties, facilitator.name, round, bytes, signed);
const lines = ownerIdentities.map((identity) => contributionOf(identity));
const of = 'the manifest of round 2:';

/** What the facilitator itself signs and is refused all the same. */
function refused(changes: Partial<Manifest>, field: keyof Manifest, why: string, round = signedRound): void {
  assert.throws(() => check(manifestWith(changes), round), {
    code: 'manifest_invalid',
    field: `manifest.${field}`,
    message: `${of} ${why}`,
  });
}

test('accounts for a round: its contributors in the order in which they were accepted', () => {
  assert.deepEqual(check(manifestWith()), ['anna', 'bert', 'cora']);
  assert.deepEqual(check(manifestWith({ contributions: lines.toReversed() })), ['cora', 'bert', 'anna']);
  assert.deepEqual(check(manifestWith({ contributions: lines.slice(1) })), ['bert', 'cora']);
});

test('of another job, round, descriptor or model is refused, whoever signed it', () => {
  refused({ job: 'other' as Manifest['job'] }, 'job', 'it is of job other');
  refused({ round: 1 }, 'round', 'it is of round 1');
  refused({ job_digest: sha256(Buffer.from('x')) }, 'job_digest', 'it is of another job descriptor');
  refused({ round_digest: sha256(Buffer.from('x')) }, 'round_digest', 'it is of another round descriptor');
  refused({ model_hash: sha256(Buffer.from('x')) }, 'model_hash', 'it is of another model');
  // The same round with other parameters, under the same number: what a model owner that shows two rounds would do.
  const descriptor = { ...signedRound.descriptor, parameters: encodeParameters([9]) };
  refused({}, 'round_digest', 'it is of another round descriptor', {
    descriptor,
    signature: signObject(modelOwner, 'round', descriptor),
  });
});

test('that names an owner twice, miscounts, or falls short of the quorum is refused', () => {
  const [first, second] = lines;
  assert.ok(first !== undefined && second !== undefined);
  refused({ contributions: [first, second, first] }, 'contributions', 'an owner is in it twice');
  refused({ count: 2 }, 'count', 'it says 2 and names 3');
  refused({ count: 4 }, 'count', 'it says 4 and names 3');
  refused({ contributions: [first] }, 'contributions', '1 contributors, and the quorum is 2');
  refused({ contributions: [], count: 0 }, 'contributions', '0 contributors, and the quorum is 2');
});

test('that names somebody from outside the roster, or other sizes, is refused', () => {
  const [first, second, third] = lines;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const roster = [ownerOf(anna), ownerOf(bert)];
  const descriptor = { ...signedRound.descriptor, roster };
  const smaller = { descriptor, signature: signObject(modelOwner, 'round', descriptor) };
  const digest = objectDigest('round', descriptor);
  refused(
    { round_digest: digest, contributions: ownerIdentities.map((identity) => contributionOf(identity, smaller)) },
    'contributions',
    "cora is not on the round's roster",
    smaller,
  );
  refused(
    { contributions: [first, { ...second, bytes: bytes + 1 }, third] },
    'contributions',
    `bert contributed ${bytes + 1} bytes, not ${bytes}`,
  );
});

test('every line is signed by its owner, of these bytes and this round: nobody is put in who did not contribute', () => {
  const [first, second, third] = lines;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const otherRound = { ...signedRound.descriptor, round: 1 };
  const earlier = contributionOf(bert, {
    descriptor: otherRound,
    signature: signObject(modelOwner, 'round', otherRound),
  });
  const statement = contributionStatement(signedRound, roundDigest, second);
  for (const line of [
    { ...second, digest: sha256(Buffer.from('other bytes')) },
    { ...second, signature: first.signature },
    { ...second, signature: { ...first.signature, party: bert.name } },
    { ...second, signature: signObject(facilitator, 'contribution', statement) },
    { ...second, signature: { ...signObject(facilitator, 'contribution', statement), party: bert.name } },
    { ...second, signature: signObject(bert, 'receipt', statement) },
    earlier,
  ])
    assert.throws(() => check(manifestWith({ contributions: [first, line, third] })), {
      code: 'signature_invalid',
      message: /^the contribution is not signed by bert: /,
    });
  const zoe = testIdentity('zoe', 'data-owner');
  assert.throws(
    () => {
      const descriptor = { ...signedRound.descriptor, roster: [...signedRound.descriptor.roster, ownerOf(zoe)] };
      const wider = { descriptor, signature: signObject(modelOwner, 'round', descriptor) };
      const contributions = [...ownerIdentities, zoe].map((identity) => contributionOf(identity, wider));
      check(manifestWith({ round_digest: objectDigest('round', descriptor), contributions }), wider);
    },
    { code: 'party_unknown' },
  );
});

test('is signed by the facilitator and nobody else', () => {
  const { manifest, signature } = manifestWith();
  for (const identity of [modelOwner, anna, testIdentity('relay', 'facilitator', 1)])
    assert.throws(() => check({ manifest, signature: signObject(identity, 'manifest', manifest) }), {
      code: 'signature_invalid',
      message: /^the manifest is not signed by relay: /,
    });
  assert.throws(() => check({ manifest, signature: signObject(facilitator, 'receipt', manifest) }), {
    code: 'signature_invalid',
  });
  assert.throws(() => verifyManifest(parties, anna.name, signedRound, bytes, { manifest, signature }), {
    code: 'role_forbidden',
  });
  assert.throws(() => verifyManifest(parties, 'nobody' as PartyId, signedRound, bytes, { manifest, signature }), {
    code: 'party_unknown',
  });
});

test('changed in any place on its way, it is refused; what is added to it is not read', () => {
  const signed = manifestWith();
  const counts = { form: 0, added: 0, refused: 0 };
  for (const { path, value } of changesOf(signed)) {
    const read = signedManifestSchema.safeParse(value);
    if (!read.success) {
      counts.form += 1;
    } else if (isDeepStrictEqual(read.data, signed)) {
      assert.match(path, /added$/);
      counts.added += 1;
    } else {
      const refusal = { name: 'SealsumError', code: /^(manifest|signature)_invalid$/ };
      assert.throws(() => check(read.data), refusal, path);
      counts.refused += 1;
    }
  }
  assert.ok(counts.form > 50 && counts.added > 1 && counts.refused > 30, JSON.stringify(counts));
});

function include(receipt: SignedReceipt, manifest: SignedManifest): void {
  verifyInclusion(parties, facilitator.name, receipt, manifest);
}

test('a receipt finds its contribution in the manifest', () => {
  for (const identity of ownerIdentities) include(receiptFor(identity), manifestWith());
});

test('a facilitator that leaves out or replaces what it acknowledged is convicted by the receipt', () => {
  const [first, second, third] = lines;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const without = manifestWith({ contributions: [first, third] });
  // It has a quorum and its signatures are right: the model owner believes it, and the tags in the sum agree with it.
  assert.deepEqual(check(without), ['anna', 'cora']);
  const refusedAs = (why: string): object => ({
    code: 'manifest_invalid',
    field: 'manifest',
    message: `the manifest of round 2 of job job ${why}`,
  });
  assert.throws(() => {
    include(receiptFor(bert), without);
  }, refusedAs('leaves out bert, whose contribution the receipt acknowledges'));
  for (const line of [
    { ...second, digest: sha256(Buffer.from('other bytes')) },
    { ...second, bytes: bytes + 1 },
  ])
    assert.throws(() => {
      include(receiptFor(bert), manifestWith({ contributions: [first, line, third] }));
    }, refusedAs('names other bytes of bert than the receipt acknowledges'));
  assert.throws(() => {
    include(receiptFor(bert), manifestWith({ round_digest: sha256(Buffer.from('x')) }));
  }, refusedAs('is of another round descriptor than the receipt'));
  for (const [changes, of] of [
    [{ round: 1 }, 'round 1 of job job'],
    [{ job: 'other' as Manifest['job'] }, 'round 2 of job other'],
  ] as const)
    assert.throws(
      () => {
        include(receiptFor(bert), manifestWith(changes));
      },
      {
        code: 'manifest_invalid',
        field: 'manifest',
        message: `the manifest of ${of} is not of round 2 of job job, for which the receipt is`,
      },
    );
});

test('neither a receipt nor a manifest that the facilitator did not sign proves anything', () => {
  const { receipt } = receiptFor(cora);
  const { manifest } = manifestWith();
  for (const identity of [cora, modelOwner, testIdentity('relay', 'facilitator', 1)]) {
    assert.throws(
      () => {
        include({ receipt, signature: signObject(identity, 'receipt', receipt) }, manifestWith());
      },
      { code: 'signature_invalid', message: /^the receipt is not signed by relay: / },
    );
    assert.throws(
      () => {
        include(receiptFor(cora), { manifest, signature: signObject(identity, 'manifest', manifest) });
      },
      { code: 'signature_invalid', message: /^the manifest is not signed by relay: / },
    );
  }
  // The owner's own signature of the same statement is no receipt.
  assert.throws(
    () => {
      include({ receipt, signature: contributionOf(cora).signature }, manifestWith());
    },
    { code: 'signature_invalid' },
  );
  for (const { path, value } of changesOf(receiptFor(cora).receipt))
    assert.throws(
      () => {
        include({ receipt: value, signature: receiptFor(cora).signature }, manifestWith());
      },
      { code: 'signature_invalid' },
      path,
    );
});

test('a SHA-256 is written in lowercase hexadecimal', () => {
  // FIPS 180-4 as NIST's examples have it: "abc".
  assert.equal(sha256(Buffer.from('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test.run();
