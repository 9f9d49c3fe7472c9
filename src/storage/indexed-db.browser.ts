/** A browser's own database, by promises: transactions that are on disk when they resolve. */
import { SealsumError } from '../errors.ts';

/** What is done in a transaction: it ends as soon as nothing of it is under way, so nothing else may be awaited in it. */
export type Work<T> = (stores: (name: string) => IDBObjectStore) => Promise<T>;

export interface IndexedDatabase {
  read<T>(work: Work<T>): Promise<T>;
  /** All of it or nothing; resolves once it is flushed to disk (`durability: 'strict'`). */
  write<T>(work: Work<T>): Promise<T>;
  close(): void;
}

/**
 * @param name of this origin's databases
 * @param create makes the object stores of a database that is new
 * @throws SealsumError store_unavailable
 */
export async function openIndexedDatabase(
  name: string,
  create: (database: IDBDatabase) => void,
): Promise<IndexedDatabase> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    create(opening.result);
  };
  const database = await trying(() => settled(opening));
  // Whoever deletes the database, or is of a later version of the page, need not wait for this page to be closed.
  database.onversionchange = () => {
    database.close();
  };

  async function transact<T>(mode: 'readonly' | 'readwrite', work: Work<T>): Promise<T> {
    return await trying(async () => {
      const transaction = database.transaction(database.objectStoreNames, mode, { durability: 'strict' });
      const ended = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => {
          resolve();
        };
        transaction.onabort = () => {
          reject(transaction.error ?? new Error('the transaction was aborted'));
        };
      });
      try {
        const result = await work((store) => transaction.objectStore(store));
        await ended;
        return result;
      } catch (error) {
        ended.catch(() => undefined);
        try {
          transaction.abort();
        } catch {
          // It has ended by itself.
        }
        throw error;
      }
    });
  }

  return {
    read: (work) => transact('readonly', work),
    write: (work) => transact('readwrite', work),
    close: () => {
      database.close();
    },
  };
}

/** What a request gives. */
export function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error('the request failed'));
    };
  });
}

async function trying<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SealsumError) throw cause;
    const why = cause instanceof Error ? cause.name : 'an unknown reason';
    throw new SealsumError(
      'store_unavailable',
      `the browser does not keep what it is given (${why}): it may be full, or forbid this site to store`,
      { cause },
    );
  }
}
