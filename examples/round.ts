/**
 * One round in one process: three data owners, a facilitator and a model owner fit a line without anybody seeing another's
 * records. The lines between the steps say what would travel; between parties that are apart all of it is signed.
 *
 * Run it: npm run build && node dist/examples/round.js
 */
import { createHash } from 'node:crypto';
import {
  aggregate,
  checkTags,
  createDecryptor,
  createEncryptor,
  createTagSecret,
  createTrainer,
  encodeTable,
  generateKeyPair,
  open,
  ownerIdSchema,
  parametersInDataUnits,
  parseModel,
  readTable,
  seal,
  systemRandom,
  tagsOf,
  termsOf,
} from '../src/index.ts';

// What is to be learned: y = 3 + 2·x, from records that nobody may pool.
const model = parseModel({
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    header: true,
    features: [{ name: 'x', type: 'continuous', range: [0, 10] }],
    target: { name: 'y', range: [0, 30] },
  },
  encryption: { key_bits: 2048 },
});
const owners = ['x,y\n1,5\n2,7\n', 'x,y\n3,9\n4,11\n5,13\n', 'x,y\n6,15\n7,17\n'].map((text, index) => ({
  name: ownerIdSchema.parse(`owner-${index}`),
  text,
  tagSecret: createTagSecret(systemRandom(32)),
}));
const sha256 = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

//  model owner                      facilitator                     data owners
//      │                                 │                               │
//      │  model, keys, plan, quorum      │                               │
//      ├────────────────────────────────►├──────────────────────────────►│
//      │                                 │         a tag key of each     │
//      │◄────────────────────────────────┤◄──────────────────────────────┤
const { publicKey, privateKey } = await generateKeyPair({ bits: model.encryption.key_bits });
const tagSecret = createTagSecret(systemRandom(32));
const { task, plan, map } = termsOf(model, owners.length);
const trainer = createTrainer(model, map, task);

//      │  round 1: parameters            │                               │
//      ├────────────────────────────────►├──────────────────────────────►│
//      │                                 │                               │  sums over its own records, fixed-point,
//      │                                 │                               │  packed below its tags, encrypted
const round = { job: sha256(model), round: 1, roundDigest: sha256([...trainer.parameters]) };
const contributions = await Promise.all(
  owners.map(async ({ name, text, tagSecret: own }) => {
    const records = encodeTable(map, await readTable({ text }, model.data_props));
    const tags = tagsOf(own.agree(tagSecret.publicKey, name), round, plan.ciphertexts);
    return seal({ task, plan, encryptor: createEncryptor(publicKey) }, records, trainer.parameters, tags);
  }),
);

//      │                                 │          ciphertexts          │
//      │                                 │◄──────────────────────────────┤
//      │                                 │  multiplies: sees no value    │
const product = aggregate(createEncryptor(publicKey), plan.ciphertexts, contributions);

//      │       one re-randomised product │                               │
//      │◄────────────────────────────────┤                               │
//      │  decrypts only the sum, checks  │                               │
//      │  every tag and slot, updates    │                               │
const decryptor = createDecryptor(privateKey);
const tagKeys = new Map(
  owners.map(({ name, tagSecret: { publicKey: theirs } }) => [name, tagSecret.agree(theirs, name)]),
);
const check = (sums: readonly bigint[]): void => {
  checkTags(sums, tagKeys, round);
};
trainer.absorb(await open({ task, plan, decryptor }, product, contributions.length, check));

const { columns, coefficients } = parametersInDataUnits(model, map, trainer.parameters);
console.log(columns.map((column, index) => `${column} ${Number(coefficients[index]).toFixed(6)}`).join(', '));
