/**
 * The used nonces in a party's database.
 *
 * Using one up survives the death of the process at any moment, but does not wait for the disk: what a signed request changes is
 * committed later, and the database writes its log in order, so that whenever the change is on disk, its nonce is. Those of the
 * requests that arrive together are written together.
 */
import type { Fingerprint } from '../protocol/identity.ts';
import type { Database } from './database.ts';
import type { NonceStore } from './nonce-store.ts';

/** The expired ones are deleted so many at a time. */
const deletedAtOnce = 2000;

/** And written so many at a time, at most. */
const writtenAtOnce = 500;

/** A nonce that somebody waits to have used. */
interface Use {
  readonly key: Fingerprint;
  readonly nonce: string;
  readonly expiresAt: number;
  readonly resolve: (fresh: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export function createNonceStore(database: Database): NonceStore {
  function forgetSome(before: number): Promise<bigint> {
    return database.write(
      async ({ rows }) => {
        const { numDeletedRows } = await rows
          .deleteFrom('nonces')
          .where((eb) =>
            eb(
              eb.refTuple('key', 'nonce'),
              'in',
              eb
                .selectFrom('nonces')
                .select(['key', 'nonce'])
                .where('expires_at', '<', before)
                .orderBy('expires_at')
                .limit(deletedAtOnce)
                .$asTuple('key', 'nonce'),
            ),
          )
          .executeTakeFirst();
        return numDeletedRows;
      },
      { durable: false },
    );
  }

  /** The names of those that nobody had used before. */
  function write(uses: readonly Use[]): Promise<Set<string>> {
    return database.write(
      async ({ rows }) => {
        const written = await rows
          .insertInto('nonces')
          .values(uses.map(({ key, nonce, expiresAt }) => ({ key, nonce, expires_at: expiresAt })))
          .onConflict((conflict) => conflict.columns(['key', 'nonce']).doNothing())
          .returning(['key', 'nonce'])
          .execute();
        return new Set(written.map(nameOf));
      },
      { durable: false },
    );
  }

  const waiting: Use[] = [];

  async function useWaiting(): Promise<void> {
    const uses = waiting.splice(0, writtenAtOnce);
    if (waiting.length > 0) setImmediate(() => void useWaiting());
    try {
      const fresh = await write(uses);
      // Of those who use the same at the same time it is the first one's.
      for (const use of uses) use.resolve(fresh.delete(nameOf(use)));
    } catch (error) {
      for (const use of uses) use.reject(error);
    }
  }

  return {
    use: (key, nonce, expiresAt) =>
      new Promise((resolve, reject) => {
        waiting.push({ key, nonce, expiresAt, resolve, reject });
        // Once all that has arrived is looked at, which takes no time when it is this one alone.
        if (waiting.length === 1) setImmediate(() => void useWaiting());
      }),
    forget: async (before) => {
      while ((await forgetSome(before)) > 0n);
    },
  };
}

function nameOf({ key, nonce }: Pick<Use, 'key' | 'nonce'>): string {
  return `${key} ${nonce}`;
}
