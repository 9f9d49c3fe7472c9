/** Many simulations, one after the other. */
import assert from 'node:assert/strict';
import { simulate } from '../../scripts/simulation/simulate.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';

const slow = process.env.SLOW === '1';

/** Seeds of one test file, 8 or with SLOW=1 five hundred, and the operations of each. */
export const seedsPerFile: number = slow ? 500 : 8;
export const operations: number = slow ? 1500 : 150;

/** Simulates the seeds from `first` on: every round must be the sum that its manifest names, and everything must end. */
export async function simulateSeeds(first: number, keyPair: KeyPair): Promise<void> {
  let closed = 0;
  let deaths = 0;
  for (let seed = first; seed < first + seedsPerFile; seed++) {
    const told: string[] = [];
    const report = await simulate({ seed, operations, keyPair, tell: (what) => told.push(what) });
    assert.deepEqual(
      report.problems,
      [],
      `replay: npm run simulate -- --seed ${seed} --operations ${operations} --verbose\n${told.join('\n')}`,
    );
    closed += report.rounds.closed;
    deaths += report.deaths;
  }
  // A simulation in which nothing happens proves nothing.
  assert.ok(closed > 2 * seedsPerFile, `only ${closed} rounds closed`);
  assert.ok(deaths > seedsPerFile / 2, `only ${deaths} deaths`);
}
