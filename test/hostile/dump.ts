/** Everything that a party's store holds, row by row, to be compared and searched. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { CompiledQuery } from 'kysely';
import type { Database } from '../../src/storage/database.ts';

/** One line a row: the table, then the columns in JSON, bytes in hexadecimal. */
export type Dump = readonly string[];

/** @param without tables that are left out */
export function dumpOf(database: Database, without: readonly string[] = []): Promise<Dump> {
  return database.read(async ({ rows }) => {
    const query = (text: string): Promise<{ rows: Record<string, unknown>[] }> =>
      rows.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text));
    const { rows: tables } = await query("select name from sqlite_master where type = 'table'");
    assert.ok(tables.length > 3);
    const lines: string[] = [];
    for (const name of tables.map((table) => String(table.name))) {
      if (without.includes(name)) continue;
      const found = await query(`select * from "${name}"`);
      for (const row of found.rows) lines.push(`${name} ${textOf(row)}`);
    }
    return lines.sort();
  });
}

function textOf(row: Readonly<Record<string, unknown>>): string {
  const columns = Object.entries(row).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  ]);
  return JSON.stringify(Object.fromEntries(columns));
}

/** Fails, naming the first rows that differ, unless two dumps are the same. */
export function assertSame(after: Dump, before: Dump, what: string): void {
  const [gone, come] = [new Set(before), new Set(after)];
  const lost = before.filter((line) => !come.has(line)).map((line) => `- ${line.slice(0, 300)}`);
  const added = after.filter((line) => !gone.has(line)).map((line) => `+ ${line.slice(0, 300)}`);
  const changed = [...lost, ...added];
  assert.equal(changed.length, 0, `${what} changed the store:\n${changed.slice(0, 6).join('\n')}`);
  assert.equal(after.length, before.length, what);
}

/**
 * The same of what a broken line left behind: whoever broke it sees it end before the party has let go of what came, so the
 * store is looked at until it is as before, for ten seconds at most.
 */
export async function assertLeftAsBefore(dump: () => Promise<Dump>, before: Dump, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (performance.now() < end) {
    if (isDeepStrictEqual(await dump(), before)) return;
    await pause(5);
  }
  assertSame(await dump(), before, what);
}
