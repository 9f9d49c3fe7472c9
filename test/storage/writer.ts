/**
 * A process that changes a store until it is killed. Its arguments: the location of the store, and optionally a place among
 * storeCheckpoints and a number: at the so manieth visit of that place it kills itself.
 *
 * It waits for a line on standard input, opens the store and goes on where the last process stopped. Every change belongs
 * together in many tables (see requireWhole); its number is printed once it is acknowledged, or the code of what went wrong.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SealsumError } from '../../src/errors.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { auditLog, facilitator } from './samples.ts';
import { begin, changeOf, lastChange, nonceOf, requireWhole, uploadOf } from './whole.ts';

const [location = '', place = '', visit = '0'] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function write(): Promise<void> {
  let visits = 0;
  const database = await openDatabase(location, {
    role: 'facilitator',
    checkpoint: (reached) => {
      if (reached !== place) return;
      visits += 1;
      if (visits === Number(visit)) process.kill(process.pid, 'SIGKILL');
    },
  });
  const store = createFacilitatorStore(database, auditLog());
  const nonces = createNonceStore(database);
  try {
    await begin(store);
    for (let number = (await lastChange(store)) + 1; ; number++) {
      // The process before may have got so far with this number.
      await nonces.use(facilitator.fingerprint, nonceOf(number), number);
      await store.keepBlock(...uploadOf(number));
      await store.commit(changeOf(number));
      say(String(number));
    }
  } catch (error) {
    say(`whole up to ${await requireWhole(database)}`);
    throw error;
  }
}

say('ready');
await once(createInterface(process.stdin), 'line');
await write().catch((error: unknown) => {
  say(error instanceof SealsumError ? error.code : String(error));
});
process.exit();
