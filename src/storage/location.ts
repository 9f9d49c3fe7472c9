/** Where a store is: a SQLite file, memory, or a PostgreSQL database with a schema in it. */
import { resolve } from 'node:path';
import { SealsumError } from '../errors.ts';

export type Location =
  | { readonly kind: 'memory'; readonly name: string }
  | { readonly kind: 'sqlite'; readonly path: string; readonly name: string }
  | {
      readonly kind: 'postgres';
      /** For the driver, with the password and without our own parameters. */
      readonly url: string;
      readonly schema: string | undefined;
      /** Without the password. */
      readonly name: string;
    };

const schemaName = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * @param location a path, `:memory:`, or `postgres://user:password@host:port/database[?schema=name]`
 * @throws SealsumError config_invalid, without the location where a password may be in it
 */
export function parseLocation(location: string): Location {
  if (location === ':memory:') return { kind: 'memory', name: 'the store in memory' };
  if (!/^postgres(ql)?:/.test(location)) {
    if (location.trim() === '' || location.includes('\0'))
      throw new SealsumError('config_invalid', 'store: expected the path of a file', { field: 'store' });
    const path = resolve(location);
    return { kind: 'sqlite', path, name: path };
  }
  let url: URL;
  try {
    url = new URL(location);
  } catch {
    throw new SealsumError(
      'config_invalid',
      'store: expected postgres://user:password@host:port/database[?schema=name], with what is special in a password as %XX',
      { field: 'store' },
    );
  }
  const schema = url.searchParams.get('schema') ?? undefined;
  if (schema !== undefined && !schemaName.test(schema))
    throw new SealsumError(
      'config_invalid',
      'store: schema: expected 1 to 63 lowercase letters, digits and "_", not beginning with a digit',
      { field: 'store' },
    );
  url.searchParams.delete('schema');
  const user = url.username === '' ? '' : `${url.username}@`;
  const inSchema = schema === undefined ? '' : `?schema=${schema}`;
  return {
    kind: 'postgres',
    url: url.href,
    schema,
    name: `postgres://${user}${url.host}${url.pathname}${inSchema}`,
  };
}
