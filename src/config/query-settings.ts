/** Data sets that are queries of a PostgreSQL database: the tables [queries.NAME] of a data owner's config.toml. */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { datasetName } from '../learning/column-schema.ts';
import type { PostgresQuery } from '../learning/postgres-query.ts';
import { readPrivateFile } from './files.ts';
import { isLoopback } from './urls.ts';

export interface QuerySettings {
  /** The data set's, in model.json and in the ledger. */
  readonly name: string;
  /** A postgres:// URL that may hold a password. */
  readonly url: string;
  /** The path of a file with the password. */
  readonly passwordFile?: string;
  readonly query: string;
  readonly timeoutSeconds: number;
}

/** The table as it is written, by the data set's name. */
type QueryTables = Readonly<Record<string, QueryTable>>;

interface QueryTable {
  readonly postgres: string;
  readonly password_file?: string;
  readonly query: string;
  readonly timeout_seconds: number;
  readonly allow_plaintext: boolean;
}

const query = z.strictObject({
  postgres: z
    .string()
    .refine(isDatabase, 'expected postgres://user@host:port/database, with what is special in a password as %XX'),
  password_file: z.string().min(1, 'expected a path').exactOptional(),
  query: z.string().refine((text) => text.trim() !== '', 'expected a SELECT'),
  timeout_seconds: z.number().int().min(1).max(86_400).default(300),
  allow_plaintext: z.boolean().default(false),
});

export const queriesSchema: z.ZodType<QueryTables> = z.record(z.string(), query).default({});

function isDatabase(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) && new URL(text).pathname.length > 1;
}

/**
 * @param taken the name of the data file that the configuration names, if it does
 * @param refuse makes an error about a field
 * @param path makes a path of the file absolute
 */
export function querySettings(
  tables: QueryTables,
  taken: string | undefined,
  refuse: (field: string, why: string) => SealsumError,
  path: (written: string) => string,
): readonly QuerySettings[] {
  return Object.entries(tables).map(([name, { postgres: url, password_file, allow_plaintext, ...settings }]) => {
    const field = `queries.${name}`;
    if (!datasetName.test(name))
      throw refuse(field, 'is no name of a data set: letters, digits, dots, dashes and underscores, at most 100');
    if (name === taken)
      throw refuse(field, `has the name of the file that data names; the ledger would count them as one`);
    const wrong = wrongParameter(new URL(url));
    if (wrong !== undefined) throw refuse(`${field}.postgres`, wrong);
    if (!allow_plaintext && !isProtected(new URL(url)))
      throw refuse(
        `${field}.postgres`,
        'leads to another machine, perhaps without TLS: add ?sslmode=verify-full, or say allow_plaintext = true there',
      );
    if (password_file !== undefined && new URL(url).password !== '')
      throw refuse(`${field}.password_file`, 'has no use beside a password in the URL; take one of them away');
    return {
      name,
      url,
      ...(password_file === undefined ? {} : { passwordFile: path(password_file) }),
      query: settings.query,
      timeoutSeconds: settings.timeout_seconds,
    };
  });
}

/** What the driver would take in the place of what stands before the question mark, where everybody looks for it. */
function wrongParameter({ hostname, searchParams }: URL): string | undefined {
  const names = [...searchParams.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `has ${twice} twice`;
  if (names.includes('password'))
    return 'has a password as a parameter; it belongs into password_file, or before the @';
  // Without a host nothing can stand before an @.
  for (const name of [...(hostname === '' ? [] : ['user']), 'port', 'database', 'dbname'])
    if (names.includes(name)) return `has ${name} as a parameter; it belongs before the question mark`;
  const host = searchParams.get('host');
  if (host !== null && !(host.startsWith('/') && hostname === ''))
    return 'has host as a parameter, which is for the folder of a socket alone, where no host stands before it';
  if (names.includes('uselibpqcompat'))
    return 'has uselibpqcompat, by which certificates are not checked; leave it out';
  return undefined;
}

/** Whether nobody on the way can read: no way at all, or TLS with a certificate that is checked. */
function isProtected({ hostname, searchParams }: URL): boolean {
  const socket = hostname === '' || hostname.startsWith('%2F');
  return (
    socket ||
    isLoopback(hostname) ||
    ['require', 'verify-ca', 'verify-full'].includes(searchParams.get('sslmode') ?? '')
  );
}

/** With its password read. @throws SealsumError identity_invalid for a file that others may read */
export async function openQuery({ passwordFile, ...settings }: QuerySettings): Promise<PostgresQuery> {
  if (passwordFile === undefined) return settings;
  const password = await readPrivateFile(passwordFile, `queries.${settings.name}.password_file`);
  return { ...settings, password: password.toString('utf8').replace(/\r?\n$/, '') };
}

/** Where a configuration holds the password of a URL, it is nobody else's to read. @throws SealsumError config_invalid */
export async function protectPasswords(
  { store, queries }: Readonly<Record<string, unknown>>,
  file: string,
): Promise<void> {
  const tables = typeof queries === 'object' && queries !== null ? Object.entries(queries) : [];
  const urls: [field: string, url: unknown][] = [
    ['store', store],
    ...tables.map(([name, table]): [string, unknown] => [
      `queries.${name}.postgres`,
      (table as { postgres?: unknown } | null)?.postgres,
    ]),
  ];
  for (const [field, url] of urls) {
    if (typeof url !== 'string' || !URL.canParse(url)) continue;
    const { password, searchParams } = new URL(url);
    if (password === '' && !searchParams.has('password')) continue;
    if (process.getuid !== undefined && ((await stat(file)).mode & 0o077) !== 0)
      throw new SealsumError(
        'config_invalid',
        `${file} holds ${field === 'store' ? "the store's password" : `the password of ${field}`}: chmod 600 ${file}`,
        { field },
      );
  }
}
