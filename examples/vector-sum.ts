/**
 * A secure sum as a library has it: a controller, and three clients that each give a vector and learn nothing of the others'.
 *
 * Run it, with a project and its facilitator:
 *
 *     npm run build && npx sealsum init project
 *     scripts/run_facilitator.sh --config project/facilitator/config.toml &
 *     node dist/examples/vector-sum.js project
 */
import { join } from 'node:path';
import { Client, Controller, memoryClientStore, readParty } from '../src/index.ts';

const [folder = 'project'] = process.argv.slice(2);
const partyOf = (name: string): ReturnType<typeof readParty> => readParty(join(folder, name, 'config.toml'));
const show = (values: Float64Array, digits: number): string =>
  [...values].map((value) => value.toFixed(digits)).join(', ');

// What three sites have counted, each for itself: nobody may see one site's figures.
const counted = new Map([
  ['owner-1', Float64Array.of(12, 0, 431, 7)],
  ['owner-2', Float64Array.of(3, 5, 209, 0)],
  ['owner-3', Float64Array.of(40, 1, 377, 2)],
]);

await using controller = await Controller.create(await partyOf('model-owner'));
const clients: Client[] = [];
try {
  for (const name of counted.keys()) {
    const party = await partyOf(name);
    // On disk it would be openClientStore(party.storeLocation, party.identity).
    const policy = { least_quorum: 3 };
    clients.push(new Client({ ...party, store: memoryClientStore(), policy }));
  }

  // Exactly: whole numbers below 1024, of which a sum of three has its place in every slot.
  const exact = await controller.createJob({ length: 4, bits: 32, bound: 1024, quorum: 3, keyBits: 2048 });
  await Promise.all(clients.map((client) => client.join(exact)));
  const round = await exact.startRound();
  await Promise.all(clients.map((client) => client.submit(exact, round, counted.get(client.owner) ?? [])));
  const { sum, mean, contributors } = await round.collect();
  console.log(`sum of ${contributors.length}: ${show(sum, 0)}`);
  console.log(`mean: ${show(mean, 2)}`);
  await exact.end();

  // And with differential privacy: what one site counted is hidden from whoever sees the sum, the model owner too.
  const privacy = { epsilon: 8, delta: 1e-6, place: 'data-owners' } as const;
  const hidden = await controller.createJob({ length: 4, bits: 32, norm: 500, quorum: 3, keyBits: 2048, privacy });
  const [first] = clients;
  const asked = await first?.privacyOf(hidden);
  console.log(
    `noise on every value: ${asked?.noiseDeviation.toFixed(0)}, epsilon ${asked?.perRound?.epsilon?.toFixed(1)}`,
  );
  await Promise.all(clients.map((client) => client.join(hidden)));
  const noisy = await hidden.startRound();
  const submissions = await Promise.all(
    clients.map((client) => client.submit(hidden, noisy, counted.get(client.owner) ?? [])),
  );
  console.log(`clipped: ${submissions.filter(({ clipped }) => clipped).length} of ${submissions.length}`);
  console.log(`noised sum: ${show((await noisy.collect()).sum, 0)}`);
  await hidden.end();
} finally {
  for (const client of clients) await client.close();
}
