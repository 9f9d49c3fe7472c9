/** What is in a tarball and what must not be, by the paths of its files. */

/** As `npm pack --json` tells. */
export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball, and of all files in it. */
  readonly size: number;
  readonly unpackedSize: number;
  /** SHA-512 in the form of package-lock.json. */
  readonly integrity: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** What people run or import; a package without one of these is broken. */
const needed: readonly string[] = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/src/index.js',
  'dist/src/index.d.ts',
  'dist/src/client.js',
  'dist/src/client.d.ts',
  'dist/browser/client.js',
  'dist/ui/index.html',
  'dist/src/cli/main.js',
  'dist/parties/data-owner/main.js',
  'dist/parties/facilitator/main.js',
  'dist/parties/model-owner/main.js',
  'dist/scripts/demo.js',
  'docs/troubleshooting.md',
  'examples/linear/data.csv',
  'examples/linear/model.json',
  'scripts/build-native.js',
  'src/paillier/native/binding.cc',
];

/** Tests, sources that are compiled already, whatever may hold a secret or somebody's records, and what only a checkout needs. */
const unwanted: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/(^|\/)(test|tests|__tests__)\//, 'a test'],
  [/\.test\.[a-z.]+$/, 'a test'],
  [/^(src|parties|scripts)\/.*(?<!\.d)\.ts$/, 'a source of what is compiled'],
  [/(^|\/)\.(env|npmrc|git|ci|netrc)/, 'a setting of a checkout'],
  [/\.(pem|key|p12|pfx|jks)$/, 'a key'],
  [/(^|\/)(identity|passphrase|access-token|private)[^/]*(?<!\.(js|ts|map))$/, 'a secret'],
  [/(^|\/)(config|roster)\.toml$/, "a party's configuration"],
  [/\.(sqlite3?|db|wal|shm)$/, 'a store'],
  [/\.(csv|tsv|parquet)$/, 'a data file'],
  [/\.node$/, 'machine code of one machine'],
  [/\.tgz$/, 'a former tarball'],
  [/(^|\/)(node_modules|coverage)\//, "others' files"],
];

const wanted = new Set(needed);

/** Unpacked, in bytes: something that does not belong there is in a package that is greater. */
export const greatestUnpacked: number = 16 * 2 ** 20;

/** What is wrong, a line each. */
export function faultsOf({ files, unpackedSize }: Pick<Packed, 'files' | 'unpackedSize'>): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return [
    ...needed.filter((path) => !paths.has(path)).map((path) => `${path} is missing: see "files" in package.json`),
    ...[...paths].flatMap((path) => {
      const why = wanted.has(path) ? undefined : unwanted.find(([pattern]) => pattern.test(path))?.[1];
      return why === undefined ? [] : [`${path} must not be in it: it is ${why}`];
    }),
    ...(unpackedSize <= greatestUnpacked
      ? []
      : [`it has ${unpackedSize} bytes unpacked, and at most ${greatestUnpacked} are expected`]),
  ];
}
