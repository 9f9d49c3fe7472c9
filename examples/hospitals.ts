/**
 * Writes FOLDER/north/data.csv, FOLDER/south/data.csv and FOLDER/west/data.csv for docs/tutorial.md: three hospitals whose patients nobody
 * was, drawn from the process of examples/linear as generate-data.ts describes it, so that the coefficients are known.
 *
 * Usage: node dist/examples/hospitals.js FOLDER
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { examples, generate } from './generate-data.ts';

const hospitals = [
  { name: 'north', seed: 11, count: 6000 },
  { name: 'south', seed: 12, count: 4000 },
  { name: 'west', seed: 13, count: 2500 },
];

const [folder] = process.argv.slice(2);
const stays = examples.find(({ name }) => name === 'linear');
if (folder === undefined || stays === undefined) throw new Error('usage: hospitals.js FOLDER');
for (const { name, seed, count } of hospitals) {
  mkdirSync(join(folder, name), { recursive: true });
  const path = join(folder, name, 'data.csv');
  writeFileSync(path, generate({ ...stays, seed, count }));
  console.log(`${path}: ${count} records`);
}
