/**
 * A secure sum in groups: every round draws the owners into groups anew, a facilitator folds each of them, and another one the groups.
 *
 * Run it, with a project of three facilitators (docs/coming-from-hyperaggregate.md says how they find each other):
 *
 *     npm run build
 *     node dist/examples/groups.js project
 */
import { join } from 'node:path';
import { Client, Controller, memoryClientStore, readParty } from '../src/index.ts';

const [folder = 'project'] = process.argv.slice(2);
const partyOf = (name: string): ReturnType<typeof readParty> => readParty(join(folder, name, 'config.toml'));

await using controller = await Controller.create(await partyOf('model-owner'));
const clients: Client[] = [];
try {
  for (const index of [1, 2, 3, 4, 5, 6])
    clients.push(new Client({ ...(await partyOf(`owner-${index}`)), store: memoryClientStore() }));

  // No facilitator sees more than three of the six contributions, and it is chance which.
  const job = await controller.createJob({
    length: 2,
    bits: 32,
    bound: 1024,
    rounds: 2,
    targetOwners: 6,
    quorum: 6,
    groups: { size: 3 },
    keyBits: 2048,
  });
  await Promise.all(clients.map((client) => client.join(job)));
  for (const number of [1, 2]) {
    const round = await job.startRound();
    for (const { facilitator, roster } of round.groups)
      console.log(`round ${number}: ${facilitator} folds ${roster.length}`);
    await Promise.all(clients.map((client, index) => client.submit(job, round, [index, number])));
    const { sum, lostGroups } = await round.collect();
    console.log(`round ${number}: the sum is ${[...sum].join(', ')}, ${lostGroups.length} groups are lost`);
  }
  await job.end();
} finally {
  for (const client of clients) await client.close();
}
