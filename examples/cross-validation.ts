/**
 * Choosing a penalty: three data owners send one encrypted vector each, and from the one sum of these the model owner fits with
 * every penalty to all folds but one, and measures on that one. However many penalties there are, no owner is asked again.
 *
 * Run it: npm run build && node dist/examples/cross-validation.js
 */
import { readFile } from 'node:fs/promises';
import {
  aggregate,
  checkTags,
  createDecryptor,
  createEncryptor,
  createTagSecret,
  crossValidate,
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

// Compiled, this file is in dist/examples.
const folder = new URL(import.meta.url.endsWith('.js') ? '../../examples/linear/' : './linear/', import.meta.url);
const document = JSON.parse(await readFile(new URL('model.json', folder), 'utf8')) as Record<string, unknown>;
const text = await readFile(new URL('data.csv', folder), 'utf8');

// Everybody has the same model: its seed and a record's content say in which fold the record is, wherever it lies in a file.
const training = { solver: 'normal-equations', cross_validation: { folds: 5, seed: 1 } };
const model = parseModel({ ...document, training, encryption: { key_bits: 2048 } });
const names = ['north', 'south', 'west'].map((name) => ownerIdSchema.parse(name));
const { map, task, plan } = termsOf(model, names.length);
const table = await readTable({ text }, model.data_props);

const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
const tagSecret = createTagSecret(systemRandom(32));
const round = { job: '0'.repeat(64), round: 1, roundDigest: '0'.repeat(64) };
const owners = names.map((name, owner) => ({ name, owner, tagSecret: createTagSecret(systemRandom(32)) }));
const contributions = await Promise.all(
  owners.map(({ name, owner, tagSecret: own }) => {
    const isOwn = (_: unknown, index: number): boolean => index % owners.length === owner;
    const records = encodeTable(map, { ...table, rows: table.rows.filter(isOwn), lines: table.lines.filter(isOwn) });
    const tags = tagsOf(own.agree(tagSecret.publicKey, name), round, plan.ciphertexts);
    return seal({ task, plan, encryptor: createEncryptor(publicKey) }, records, new Float64Array(0), tags);
  }),
);
const product = aggregate(createEncryptor(publicKey), plan.ciphertexts, contributions);
const tagKeys = new Map(
  owners.map(({ name, tagSecret: { publicKey: theirs } }) => [name, tagSecret.agree(theirs, name)]),
);
const opened = await open({ task, plan, decryptor: createDecryptor(privateKey) }, product, owners.length, (sums) => {
  checkTags(sums, tagKeys, round);
});

const folds = {
  sums: opened.statistics,
  records: [...opened.metrics].map((share) => share * opened.weight),
  weight: opened.weight,
};
console.log(`records in the folds: ${folds.records.map((records) => records.toFixed(0)).join(', ')}`);
const tried = [0, 0.001, 0.003, 0.01, 0.03].map((l1) => ({ l1, ...crossValidate(map, folds, { l1, l2: 0 }, 0) }));
for (const { l1, parameters, crossValidation } of tried) {
  const { mean, standard_deviation: deviation } = crossValidation;
  const zeros = parameters.filter((value) => value === 0).length;
  console.log(
    `l1 ${String(l1).padEnd(5)}  mean squared error ${mean.mse?.toFixed(3)} ± ${deviation.mse?.toFixed(3)}  ` +
      `${zeros} of ${parameters.length} coefficients are zero`,
  );
}

// The simplest model whose error is within a standard error of the least (Hastie, Tibshirani, Friedman 2009, section 7.10).
const errorOf = (fit: (typeof tried)[number]): number => fit.crossValidation.mean.mse ?? Number.NaN;
const best = tried.reduce((least, fit) => (errorOf(fit) < errorOf(least) ? fit : least));
const standardError = (best.crossValidation.standard_deviation.mse ?? 0) / Math.sqrt(folds.records.length);
const chosen = tried.findLast((fit) => errorOf(fit) <= errorOf(best) + standardError) ?? best;
const { columns, coefficients } = parametersInDataUnits(model, map, chosen.parameters);
console.log(`chosen: l1 ${chosen.l1}`);
for (const [index, column] of columns.entries())
  console.log(`${column.padEnd(20)}${Number(coefficients[index]).toFixed(4)}`);
