/** A modulus proof as a message: there and back through JSON, and what it may not be. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type Model, parseModel } from '../../src/learning/model.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { greatestProvenBits, type ModulusProof, verifyModulus } from '../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { modulusProofSchema } from '../../src/protocol/modulus-proof-schema.ts';

const test = suite('modulus proof as a message');

const context = new TextEncoder().encode('job 7');
const { publicKey, privateKey } = await testOnlyGenerateKeyPair({ bits: 512 });
const proof = await proveModulus(privateKey, context);
const answer = proof.blum[0] ?? assert.fail();

test('there and back, and proves what it did', async () => {
  const back = modulusProofSchema.parse(JSON.parse(JSON.stringify(proof)));
  assert.deepEqual(back, proof);
  await verifyModulus(publicKey, back, context);
});

test('takes integers of up to 8192 bits, as many as a model may ask of its key', () => {
  const longest = Buffer.alloc(1024, 0xff).toString('base64url');
  const large: ModulusProof = {
    w: longest,
    roots: proof.roots.map(() => longest),
    blum: proof.blum.map(({ a, b }) => ({ x: longest, a, b, z: longest })),
  };
  assert.deepEqual(modulusProofSchema.parse(large), large);
  const [issue] = modulusProofSchema.safeParse({ ...large, w: `${longest}A` }).error?.issues ?? [];
  assert.deepEqual([issue?.path, issue?.message], [['w'], 'expected an integer of at most 8192 bits']);

  const modelOf = (key_bits: number): Model =>
    parseModel({
      model_type: 'LINEAR_REGRESSION',
      data_props: {
        features: [{ name: 'a', type: 'continuous', range: [0, 1] }],
        target: { name: 'b', range: [0, 1] },
      },
      encryption: { key_bits },
    });
  assert.equal(modelOf(greatestProvenBits).encryption.key_bits, 8192);
  assert.throws(() => modelOf(greatestProvenBits + 256), { field: 'encryption.key_bits' });
});

test('refuses everything else, naming the place', () => {
  const withAnswer = (other: unknown): unknown => ({ ...proof, blum: proof.blum.with(5, other as typeof answer) });
  const cases: [unknown, PropertyKey[]][] = [
    [undefined, []],
    [[], []],
    [{ ...proof, w: undefined }, ['w']],
    [{ ...proof, w: 7 }, ['w']],
    [{ ...proof, w: '' }, ['w']],
    [{ ...proof, w: `${proof.w}==` }, ['w']],
    [{ ...proof, w: `${proof.w}\n` }, ['w']],
    [{ ...proof, roots: undefined }, ['roots']],
    [{ ...proof, roots: Object.assign({}, proof.roots) }, ['roots']],
    [{ ...proof, roots: proof.roots.slice(1) }, ['roots']],
    [{ ...proof, roots: [...proof.roots, proof.w] }, ['roots']],
    [{ ...proof, roots: proof.roots.with(3, '+') }, ['roots', 3]],
    [{ ...proof, blum: proof.blum.slice(1) }, ['blum']],
    [{ ...proof, blum: [...proof.blum, answer] }, ['blum']],
    [{ ...proof, blum: new Array(1_000_000).fill({}) }, ['blum']],
    [withAnswer(null), ['blum', 5]],
    [withAnswer({ ...answer, x: 5 }), ['blum', 5, 'x']],
    [withAnswer({ ...answer, z: 'a b' }), ['blum', 5, 'z']],
    [withAnswer({ ...answer, a: 2 }), ['blum', 5, 'a']],
    [withAnswer({ ...answer, b: '1' }), ['blum', 5, 'b']],
    [withAnswer({ ...answer, b: true }), ['blum', 5, 'b']],
  ];
  for (const [value, path] of cases) {
    const { error } = modulusProofSchema.safeParse(value);
    assert.deepEqual(
      error?.issues.map((issue) => issue.path),
      [path],
    );
  }
});

test('refuses unknown fields by name', () => {
  for (const [value, keys] of [
    [{ ...proof, n: proof.w }, ['n']],
    [{ ...proof, blum: proof.blum.with(0, { ...answer, y: answer.x } as typeof answer) }, ['y']],
  ] as const) {
    const { error } = modulusProofSchema.safeParse(value);
    assert.deepEqual(
      error?.issues.map((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : [])),
      [keys],
    );
  }
});

test.run();
