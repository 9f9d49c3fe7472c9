/**
 * Encrypted numbers to compute with: a laboratory has a model that it does not show, a clinic has records that it does not show. The
 * clinic scores its records with the encrypted model, the laboratory reads the scores. The lines between the steps say what travels.
 *
 * Run it: npm run build && node dist/examples/encrypted-vector.js
 */
import {
  createDecryptor,
  createEncryptor,
  decryptVector,
  encryptVector,
  generateKeyPair,
  meanVectors,
  publicKeyFromJwk,
  publicKeyToJwk,
  renormaliseVector,
  SealsumError,
  vectorFromJson,
  vectorToJson,
} from '../src/index.ts';

const show = (name: string, values: Float64Array): void => {
  console.log(`${name}: ${[...values].map((value) => value.toFixed(4)).join(', ')}`);
};

//  laboratory                                                          clinic
//      │  its model: weights, and an intercept at the end                 │
const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
const laboratory = { encryptor: createEncryptor(publicKey), decryptor: createDecryptor(privateKey) };
const model = [0.75, -1.5, 0.1, -0.25];
// Everybody may know that no weight is beyond ±4, and that they are multiples of 2^-30.
const weights = await encryptVector(laboratory.encryptor, model, { fractionBits: 30, bound: 4 });

//      │              public key, encrypted model                         │
//      ├─────────────────────────────────────────────────────────────────►│
const sent = JSON.stringify([publicKeyToJwk(publicKey), await vectorToJson(laboratory.encryptor, weights)]);
const [jwk, received] = JSON.parse(sent) as [unknown, unknown];
const clinicKey = publicKeyFromJwk(jwk);
const clinicEncryptor = createEncryptor(clinicKey);
const encrypted = vectorFromJson(clinicKey, received);

//      │                                                                  │  a dot product with each record;
//      │                                                                  │  none has a number beyond ±100
const records = [
  [1.25, 0.5, 12, 1],
  [-3, 2.125, 40, 1],
];
const scores = await encrypted.dotRows(records, { fractionBits: 20, bound: 100 });

//      │              encrypted scores, re-randomised                     │
//      │◄─────────────────────────────────────────────────────────────────┤
const answer: unknown = JSON.parse(JSON.stringify(await vectorToJson(clinicEncryptor, scores)));
show('scores', await decryptVector(laboratory.decryptor, vectorFromJson(publicKey, answer)));

// Where there are only sums, many values share a ciphertext: here 51 of 40 bits each.
const packed = { fractionBits: 20, bound: 100, slotBits: 40 };
const clinics = await Promise.all(
  [
    [36.5, 80, 0.25],
    [37.25, 64, 0.5],
    [38, 99, -0.125],
  ].map((values) => encryptVector(clinicEncryptor, values, packed)),
);
const mean = meanVectors(clinics);
show('means', await decryptVector(laboratory.decryptor, mean));

// What could not be decoded is refused before it is computed. Then the key's owner makes the numbers short again.
try {
  await mean.multiplyPlain(0.5, { fractionBits: 20 });
} catch (error) {
  if (!(error instanceof SealsumError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
const short = await renormaliseVector(laboratory.decryptor, laboratory.encryptor, mean, { fractionBits: 10 });
const half = await short.multiplyPlain(0.5, { fractionBits: 20 });
show('half of them', await decryptVector(laboratory.decryptor, half));
