/**
 * One round in one process: three data owners, a facilitator and a model owner fit a line without anybody seeing another's
 * records. The lines between the steps say what would travel.
 *
 * Run it: npm run build && node dist/examples/round.js
 */
import {
  aggregate,
  createDecryptor,
  createEncryptor,
  createTrainer,
  encodeTable,
  generateKeyPair,
  open,
  parametersInDataUnits,
  parseModel,
  readTable,
  seal,
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
const files = ['x,y\n1,5\n2,7\n', 'x,y\n3,9\n4,11\n5,13\n', 'x,y\n6,15\n7,17\n'];

//  model owner                      facilitator                     data owners
//      │                                 │                               │
//      │  model, key, plan, quorum       │                               │
//      ├────────────────────────────────►├──────────────────────────────►│
const { publicKey, privateKey } = await generateKeyPair({ bits: model.encryption.key_bits });
const { task, plan, map } = termsOf(model, files.length);
const trainer = createTrainer(model, map, task);

//      │  round 1: parameters            │                               │
//      ├────────────────────────────────►├──────────────────────────────►│
//      │                                 │                               │  sums over its own records,
//      │                                 │                               │  fixed-point, packed, encrypted
const contributions = await Promise.all(
  files.map(async (text) => {
    const records = encodeTable(map, await readTable({ text }, model.data_props));
    return seal({ task, plan, encryptor: createEncryptor(publicKey) }, records, trainer.parameters);
  }),
);

//      │                                 │          ciphertexts          │
//      │                                 │◄──────────────────────────────┤
//      │                                 │  multiplies: sees no value    │
const product = aggregate(createEncryptor(publicKey), plan.ciphertexts, contributions);

//      │       one re-randomised product │                               │
//      │◄────────────────────────────────┤                               │
//      │  decrypts only the sum, checks  │                               │
//      │  every slot, updates            │                               │
const decryptor = createDecryptor(privateKey);
trainer.absorb(open({ task, plan, decryptor }, product, contributions.length));

const { columns, coefficients } = parametersInDataUnits(model, map, trainer.parameters);
console.log(columns.map((column, index) => `${column} ${Number(coefficients[index]).toFixed(6)}`).join(', '));
