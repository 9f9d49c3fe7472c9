/** Where a client in a browser keeps what it must not forget: in the browser's own database, for one page at a time. */
import { SealsumError } from '../errors.ts';
import type { Identity } from '../protocol/identity.ts';
import { type IndexedDatabase, openIndexedDatabase, settled } from '../storage/indexed-db.browser.ts';
import {
  createDataOwnerTables,
  createIndexedDataOwnerStore,
  createIndexedLedgerStore,
} from '../storage/indexed-db-data-owner-store.browser.ts';
import type { ClientStore } from './client-store.ts';

/** Milliseconds for which another page may still hold the store, such as this one before it was loaded again. */
const patience = 3000;

/**
 * A durable store of this origin, which no other page has open. The browser is asked to keep it when its disk is full.
 *
 * @param location the name of the database
 * @param identity whose it is; another owner's answers and charges are not mixed with it
 * @throws SealsumError store_unavailable, config_invalid where it is another owner's
 */
export async function openClientStore(location: string, identity: Identity): Promise<ClientStore & AsyncDisposable> {
  const letGo = await hold(`sealsum store ${location}`);
  try {
    await navigator.storage.persist();
    const database = await openIndexedDatabase(location, (created) => {
      createDataOwnerTables(created);
      created.createObjectStore('owner');
    });
    await requireOwner(database, location, identity);
    return {
      jobs: createIndexedDataOwnerStore(database),
      ledger: createIndexedLedgerStore(database),
      [Symbol.asyncDispose]: () => {
        database.close();
        letGo();
        return Promise.resolve();
      },
    };
  } catch (error) {
    letGo();
    throw error;
  }
}

/** Two pages would each spend what the policy leaves: one of them holds the store until it lets go or is closed. */
async function hold(name: string): Promise<() => void> {
  // Not there where a page comes by plain http from elsewhere than this machine: anybody on the way could have changed it.
  if (!isSecureContext)
    throw new SealsumError(
      'store_unavailable',
      'the store of a client is opened by pages from https: or localhost only',
    );
  return await new Promise((resolve, reject) => {
    navigator.locks
      .request(
        name,
        { signal: AbortSignal.timeout(patience) },
        () =>
          new Promise<void>((letGo) => {
            resolve(letGo);
          }),
      )
      .catch((cause: unknown) => {
        reject(
          new SealsumError('store_unavailable', `${name} is open in another tab or window; close that one`, { cause }),
        );
      });
  });
}

/** @throws SealsumError config_invalid */
async function requireOwner(database: IndexedDatabase, location: string, { name }: Identity): Promise<void> {
  const owner = await database.write(async (stores) => {
    const kept = (await settled(stores('owner').get('name'))) as string | undefined;
    if (kept === undefined) await settled(stores('owner').put(name, 'name'));
    return kept ?? name;
  });
  if (owner !== name)
    throw new SealsumError('config_invalid', `the store ${location} is that of ${owner}, not of ${name}`, {
      field: 'location',
    });
}
