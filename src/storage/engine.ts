/** What a store needs of a database, whichever it is. */
import type { Kysely } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { DatabaseKind } from './migrations.ts';
import type { Tables } from './tables.ts';

/** A database that this process alone writes to. Its calls are made one after the other. */
export interface Engine {
  readonly kind: DatabaseKind;
  /** How errors and logs call the store. */
  readonly name: string;
  /** One connection. What its statements throw is a SealsumError already. */
  readonly kysely: Kysely<Tables>;
  /** How often there was no way to the server or to its lock: what was asked for before need not be tried. 0 for a file. */
  readonly outages: number;
  /**
   * Why nothing may be read or written any more: what was committed is not on the disk, and what is read may be gone after the
   * machine's next start.
   */
  readonly lost: SealsumError | undefined;
  /** The names of the tables that are there. */
  tables(rows: Kysely<Tables>): Promise<readonly string[]>;
  /** Once the tables are there, before the first transaction. */
  begun(): Promise<void>;
  /**
   * Begins a transaction, after making sure that this process still is the only writer.
   *
   * @param durable as it is committed
   */
  begin(rows: Kysely<Tables>, durable: boolean): Promise<void>;
  /** Ends a transaction. @param durable whether it waits for the disk */
  commit(rows: Kysely<Tables>, durable: boolean): Promise<void>;
  /** @throws SealsumError store_unavailable when this process may not write any more */
  requireLock(): Promise<void>;
  /** Gives back to the file system some of what deleted rows have left; true when there is more. */
  compact(): Promise<boolean>;
  close(): Promise<void>;
}

/** The error for a store that does not do what it is asked. */
export function unavailable(name: string, reason: string, cause?: unknown): SealsumError {
  return new SealsumError('store_unavailable', `${name}: ${reason}`, {
    field: 'store',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The error for rows that contradict each other: a mistake of the program, which repeating does not mend. */
export function contradiction(name: string, cause: unknown): SealsumError {
  return new SealsumError('internal', `${name}: a change contradicts what is stored`, { cause });
}
