/**
 * A process that charges rounds to a ledger until its cap refuses the next one. Its arguments: the location of the store, and
 * optionally a place among storeCheckpoints and a number: at the so manieth visit of that place it kills itself.
 *
 * It waits for a line on standard input, opens the store and asks for every round from the first on, ten at a time; of a round that
 * is paid for it prints the number, and `full` once rounds are refused.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SealsumError } from '../../src/errors.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import { rational } from '../../src/privacy/rational.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';

const [location = '', place = '', visit = '0'] = process.argv.slice(2);

/** Room for a hundred rounds of a third each, which no double is, to the last fraction. */
const cost = {
  dataset: 'data.csv',
  rho: rational(1n, 3n),
  unit: 'record',
  neighbours: 'zero-out',
  sampling: 1,
} as const;
const caps = { rhoTotal: rational(100n, 3n) };

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function charge(): Promise<void> {
  let visits = 0;
  const database = await openDatabase(location, {
    role: 'data-owner',
    checkpoint: (reached) => {
      if (reached !== place) return;
      visits += 1;
      if (visits === Number(visit)) process.kill(process.pid, 'SIGKILL');
    },
  });
  const ledger = createLedger(createLedgerStore(database));
  for (let first = 1; ; first += 10) {
    const rounds = Array.from({ length: 10 }, (_, index) => first + index);
    const asked = rounds.map(async (round) => {
      await ledger.charge({ job: 'job', round, ...cost }, caps);
      // Where a contribution would be made and sent.
      say(String(round));
    });
    for (const outcome of await Promise.allSettled(asked))
      if (outcome.status === 'rejected') {
        const { reason } = outcome as { reason: unknown };
        if (!(reason instanceof SealsumError) || reason.code !== 'policy_refused') throw reason;
        say('full');
        return;
      }
  }
}

say('ready');
await once(createInterface(process.stdin), 'line');
await charge().catch((error: unknown) => {
  say(error instanceof SealsumError ? error.code : String(error));
});
process.exit();
