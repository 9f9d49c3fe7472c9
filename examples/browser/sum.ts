/** Asks two owners for a vector each, and prints the noised sum; the page of this folder is where they contribute. See serve.ts. */
import { join } from 'node:path';
import { Controller, readParty } from '../../src/index.ts';

const [folder = 'project', ...owners] = process.argv.slice(2);

await using controller = await Controller.create(await readParty(join(folder, 'model-owner', 'config.toml')));
await using job = await controller.createJob({
  length: 4,
  bits: 32,
  norm: 10,
  privacy: { rho: 0.5, place: 'data-owners' },
  roster: owners.length === 0 ? ['owner-1', 'owner-2'] : owners,
  deadlineSeconds: 600,
  keyBits: 2048,
});
console.log(`${job.id}: waiting for ${job.sum.participation.roster?.join(' and ') ?? 'the owners'}`);
const round = await job.startRound();
const { sum, contributors } = await round.collect();
console.log(`sum of ${contributors.length}: ${[...sum].map((value) => value.toFixed(1)).join(', ')}`);
await job.end();
