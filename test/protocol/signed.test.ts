/** Signed objects: canonical JSON as RFC 8785 gives it, one signature for one object of one kind by one party. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import {
  canonicalDigest,
  type ObjectSignature,
  objectDigest,
  objectSignatureSchema,
  type SignedKind,
  signObject,
  verifyObject,
} from '../../src/protocol/signed.ts';
import { changesOf, reordered } from '../support/changes.ts';
import { testIdentity } from '../support/identities.ts';
import {
  anna,
  bert,
  facilitator,
  manifestWith,
  modelOwner,
  parties,
  receiptFor,
  signedAnswer,
  signedJob,
  signedRound,
} from './samples.ts';

const test = suite('signed objects');

const kinds = [
  'job',
  'round',
  'answer',
  'contribution',
  'manifest',
  'receipt',
  'invitation',
  'successor',
  'audit entry',
] as const satisfies readonly SignedKind[];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('digests are of the canonical JSON of RFC 8785', () => {
  // Sections 3.2.2 and 3.2.4: the sample, and the bytes it becomes.
  const sample: unknown = JSON.parse(`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
    "literals": [null, true, false]
  }`);
  const bytes = Buffer.from(
    `7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73 22 3a
     5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31 65 2d 32 37
     5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22 7d`.replaceAll(
      /\s/g,
      '',
    ),
    'hex',
  );
  assert.equal(canonicalDigest(sample), createHash('sha256').update(bytes).digest('hex'));
  assert.equal(
    objectDigest('job', sample),
    createHash('sha256').update('sealsum job v1\n').update(bytes).digest('hex'),
  );
  // Section 3.2.3: names in the order of their UTF-16 code units.
  const sorted = {
    '€': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '😀': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    ö: 'Latin Small Letter O With Diaeresis',
  };
  assert.equal(
    canonicalDigest(sorted),
    sha256(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ),
  );
});

/** RFC 8785, appendix B: IEEE 754 bits and their JSON. */
const numbers = {
  '0000000000000000': '0',
  '8000000000000000': '0',
  '0000000000000001': '5e-324',
  '8000000000000001': '-5e-324',
  '7fefffffffffffff': '1.7976931348623157e+308',
  ffefffffffffffff: '-1.7976931348623157e+308',
  '4340000000000000': '9007199254740992',
  c340000000000000: '-9007199254740992',
  '4430000000000000': '295147905179352830000',
  '44b52d02c7e14af5': '9.999999999999997e+22',
  '44b52d02c7e14af6': '1e+23',
  '44b52d02c7e14af7': '1.0000000000000001e+23',
  '444b1ae4d6e2ef4e': '999999999999999700000',
  '444b1ae4d6e2ef4f': '999999999999999900000',
  '444b1ae4d6e2ef50': '1e+21',
  '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
  '3eb0c6f7a0b5ed8d': '0.000001',
  '41b3de4355555553': '333333333.3333332',
  '41b3de4355555554': '333333333.33333325',
  '41b3de4355555555': '333333333.3333333',
  '41b3de4355555556': '333333333.3333334',
  '41b3de4355555557': '333333333.33333343',
  becbf647612f3696: '-0.0000033333333333333333',
  '43143ff3c1cb0959': '1424953923781206.2',
};

test('numbers are written as appendix B of RFC 8785 has them', () => {
  for (const [bits, text] of Object.entries(numbers)) {
    const value = Buffer.from(bits, 'hex').readDoubleBE();
    assert.equal(canonicalDigest(value), sha256(text), bits);
    assert.equal(canonicalDigest([value]), sha256(`[${text}]`));
  }
});

test('what canonical JSON cannot say is neither signed nor digested', () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  let deep: unknown = 0;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  const bits = (text: string): number => Buffer.from(text, 'hex').readDoubleBE();
  for (const value of [
    // RFC 8785, appendix B: not a number, and infinity.
    bits('7fffffffffffffff'),
    bits('7ff0000000000000'),
    Number.NEGATIVE_INFINITY,
    { parameters: [1, Number.NaN] },
    // Section 3.2.2.2: half of a surrogate pair, in a value and in a name.
    '\ud800',
    { text: 'a\udead' },
    { '\udead': 1 },
    7n,
    circular,
    deep,
    undefined,
    () => 1,
  ]) {
    const refused = (what: string): object => ({
      code: 'message_invalid',
      message: `the ${what} cannot be written as canonical JSON`,
    });
    assert.throws(() => canonicalDigest(value), refused('object'));
    assert.throws(() => objectDigest('round', value), refused('round'));
    assert.throws(() => signObject(anna, 'answer', value), refused('answer'));
    const signature = signObject(anna, 'answer', 1);
    assert.throws(() => {
      verifyObject(parties, { name: anna.name, role: 'data-owner' }, 'answer', value, signature);
    }, refused('answer'));
  }
});

function verify(
  signer: Identity,
  kind: SignedKind,
  object: unknown,
  signature: ObjectSignature,
  known: Parties = parties,
): void {
  verifyObject(known, { name: signer.name, role: signer.role }, kind, object, signature);
}

const invalid = (message: string): object => ({ code: 'signature_invalid', field: 'signature', message });

test('a signature of one kind is refused as any other', () => {
  const object = { job: 'job' };
  for (const kind of kinds) {
    const signature = signObject(anna, kind, object);
    verify(anna, kind, object, signature);
    for (const other of kinds.filter((each) => each !== kind)) {
      assert.throws(
        () => {
          verify(anna, other, object, signature);
        },
        invalid(`the ${other} is not signed by anna: the signature does not match`),
      );
      assert.notEqual(objectDigest(kind, object), objectDigest(other, object));
    }
  }
  assert.equal(new Set([...kinds.map((kind) => objectDigest(kind, object)), canonicalDigest(object)]).size, 10);
});

test('any changed field of any signed object is refused, and the order of its fields does not matter', () => {
  const [manifest, receipt] = [manifestWith(), receiptFor(anna)];
  const objects: readonly [SignedKind, object, Identity, ObjectSignature][] = [
    ['job', signedJob.descriptor, modelOwner, signedJob.signature],
    ['round', signedRound.descriptor, modelOwner, signedRound.signature],
    ['answer', signedAnswer.answer, anna, signedAnswer.signature],
    ['contribution', receipt.receipt, anna, signObject(anna, 'contribution', receipt.receipt)],
    ['manifest', manifest.manifest, facilitator, manifest.signature],
    ['receipt', receipt.receipt, facilitator, receipt.signature],
  ];
  for (const [kind, object, signer, signature] of objects) {
    verify(signer, kind, object, signature);
    verify(signer, kind, reordered(object), signature);
    assert.deepEqual(signObject(signer, kind, reordered(object)), signature);
    // The proof has 500 places of one form; that each of them counts is tested with the proof.
    const changes = changesOf(object, ['public_key_proof.blum', 'public_key_proof.roots']);
    assert.ok(changes.length > 20);
    for (const { path, value } of changes)
      assert.throws(
        () => {
          verify(signer, kind, value, signature);
        },
        { code: 'signature_invalid' },
        `${kind} ${path}`,
      );
  }
});

const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });

test('two objects have the same digest and signature exactly when they are the same JSON', () => {
  fc.assert(
    fc.property(json, json, (left, right) => {
      const same = canonicalDigest(left) === canonicalDigest(right);
      assert.equal(same, JSON.stringify(sortedFields(left)) === JSON.stringify(sortedFields(right)));
      assert.equal(canonicalDigest(reordered(left)), canonicalDigest(left));
      const signature = signObject(anna, 'answer', left);
      verify(anna, 'answer', JSON.parse(JSON.stringify(left)), signature);
      if (!same)
        assert.throws(() => {
          verify(anna, 'answer', right, signature);
        }, invalid('the answer is not signed by anna: the signature does not match'));
    }),
  );
});

function sortedFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedFields);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return ['an object', ...fields.map(([key, below]) => [key, sortedFields(below)])];
}

test('a field named __proto__ counts like any other', () => {
  const plain: unknown = JSON.parse('{"a":1}');
  const with_: unknown = JSON.parse('{"__proto__":{"a":2},"a":1}');
  assert.notEqual(canonicalDigest(plain), canonicalDigest(with_));
});

test('who signed must be whom one means, in the role one means', () => {
  const object = { a: 1 };
  const signature = signObject(anna, 'answer', object);
  const stranger = testIdentity('zoe', 'data-owner');
  assert.throws(() => {
    verify(bert, 'answer', object, signature);
  }, invalid('the answer is not signed by bert: it names anna'));
  assert.throws(() => {
    verify(anna, 'answer', object, { ...signature, party: bert.name });
  }, invalid('the answer is not signed by anna: it names bert'));
  assert.throws(() => {
    verify(anna, 'answer', object, { ...signature, key: bert.fingerprint });
  }, invalid('the answer is not signed by anna: the key is none of its keys'));
  assert.throws(() => {
    verify(anna, 'answer', object, { ...signObject(bert, 'answer', object), party: anna.name });
  }, invalid('the answer is not signed by anna: the key is none of its keys'));
  assert.throws(() => {
    verify(anna, 'answer', object, { ...signObject(bert, 'answer', object), party: anna.name, key: anna.fingerprint });
  }, invalid('the answer is not signed by anna: the signature does not match'));
  assert.throws(
    () => {
      verify(stranger, 'answer', object, signObject(stranger, 'answer', object));
    },
    { code: 'party_unknown' },
  );
  assert.throws(
    () => {
      verifyObject(
        parties,
        { name: anna.name, role: 'model-owner' },
        'round',
        object,
        signObject(anna, 'round', object),
      );
    },
    { code: 'role_forbidden' },
  );
});

test('what a party signed with an earlier key stays signed, but not by another and not after that key is forgotten', () => {
  const object = { a: 1 };
  const generations = [0, 1, 2].map((generation) => testIdentity('anna', 'data-owner', generation));
  const [present, ...earlier] = generations;
  assert.ok(present !== undefined);
  const rotated = createParties([present, bert], earlier);
  for (const identity of generations) {
    const signature = signObject(identity, 'contribution', object);
    verify(present, 'contribution', object, signature, rotated);
    assert.throws(() => {
      verify(bert, 'contribution', object, { ...signature, party: bert.name }, rotated);
    }, invalid('the contribution is not signed by bert: the key is none of its keys'));
    // The right keys in the wrong places.
    for (const other of generations.filter((each) => each !== identity))
      assert.throws(() => {
        verify(present, 'contribution', object, { ...signature, key: other.fingerprint }, rotated);
      }, invalid('the contribution is not signed by anna: the signature does not match'));
    const forgotten = createParties([present, bert]);
    if (identity === present) verify(present, 'contribution', object, signature, forgotten);
    else
      assert.throws(() => {
        verify(present, 'contribution', object, signature, forgotten);
      }, invalid('the contribution is not signed by anna: the key is none of its keys'));
  }
});

test('a signature has a name, a fingerprint and 64 bytes, each in its only form', () => {
  const signature = signObject(anna, 'answer', { a: 1 });
  assert.deepEqual(objectSignatureSchema.parse(JSON.parse(JSON.stringify(signature))), signature);
  for (const { path, value } of changesOf(signature)) {
    if (objectSignatureSchema.safeParse(value).success)
      assert.throws(
        () => {
          verify(anna, 'answer', { a: 1 }, value);
        },
        { code: 'signature_invalid' },
        path,
      );
  }
  const last = signature.value.at(-1) ?? '';
  const loose = { ...signature, value: signature.value.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1) };
  assert.deepEqual(Buffer.from(loose.value, 'base64url'), Buffer.from(signature.value, 'base64url'));
  assert.ok(!objectSignatureSchema.safeParse(loose).success);
  // Whoever forgets to parse is not believed either.
  for (const value of [loose.value, '', signature.value.slice(0, -2), `${signature.value}=`, `${signature.value}AAAA`])
    assert.throws(() => {
      verify(anna, 'answer', { a: 1 }, { ...signature, value });
    }, invalid('the answer is not signed by anna: the signature does not match'));
  for (const wrong of [
    { ...signature, party: '../anna' as PartyId },
    { ...signature, key: signature.key.slice(1) },
    { ...signature, value: signature.value.slice(1) },
    { ...signature, more: 1 },
    undefined,
  ])
    assert.ok(!objectSignatureSchema.safeParse(wrong).success);
});

test.run();
