/** `sealsum verify log`, once `sealsum verify-log`: whether a party's audit log is the one it wrote. */
import { setImmediate } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { partiesOf, readRoster } from '../config/roster-file.ts';
import { SealsumError } from '../errors.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import { createParty, type Party, type Role } from '../protocol/identity.ts';
import { auditEntries, countAuditEntries } from '../storage/audit-log.ts';
import { type NotedEntry, type VerifiedLog, verifyLog } from '../storage/audit-verification.ts';
import { readStore } from '../storage/store-reader.ts';
import { aborted } from '../threads/aborted.ts';
import { untilInterrupted, usageError } from './program.ts';
import { createProgress, type Progress } from './progress.ts';
import { chosenStore, type StoreOptions, withStoreOptions } from './store-options.ts';

const help = `
The config.toml of the party says where its store is, what it is called, and which roster has its keys; --store, --name, --roster
and --key say so where there is none, or otherwise. LOCATION is what the configuration calls store, or the file of a backup.
The party may be running.

A log proves by itself that nothing in it was changed, left out or put in, but not that its end was not cut off: note the number
and hash that this prints where the party cannot change them, and give them with --noted the next time.

Examples:
  sealsum verify log --config project/facilitator/config.toml
  sealsum verify log --store backup.sqlite --roster roster.toml
  sealsum verify log --store facilitator.sqlite --key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo \\
    --noted 412:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`;

interface Options extends StoreOptions {
  readonly roster?: string;
  readonly name?: PartyId;
  readonly key?: readonly string[];
  readonly noted?: NotedEntry;
  readonly json: boolean;
}

/** What is printed. */
interface Verdict extends Partial<VerifiedLog> {
  readonly whole: boolean;
  readonly reason?: string;
}

/**
 * @param print takes what is said on standard output, without the newline at its end
 * @param name `log` below `verify`; `verify-log`, as it was once called, is hidden
 */
export function registerVerifyLogCommand(
  program: Command,
  print: (text: string) => void = console.log,
  name: 'log' | 'verify-log' = 'verify-log',
): void {
  const command = program
    .command(name)
    .summary("check a party's audit log")
    .description('Check that every entry of an audit log is signed by the party and follows from the one before.')
    .option('--roster <file>', 'the roster.toml with the keys of everybody')
    .option('--name <party>', 'whose log it is; the only party of its role in the roster unless given', parseName)
    .option('--key <base64url>', 'an Ed25519 public key of the party, the present one first; may be repeated', addKey)
    .option('--noted <sequence:hash>', 'an entry that the log must still contain', parseNoted)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const { location, config } = await chosenStore(options);
      if (options.roster !== undefined && options.key !== undefined)
        throw usageError('--roster and --key exclude each other');
      const { roster = config?.roster, name = config?.name } = options;
      if (roster === undefined && options.key === undefined)
        throw usageError('say with --config, --roster or --key who signed the log');
      const signers = options.key === undefined ? { roster, name } : { key: options.key };
      using bar = createProgress({ what: 'verifying', unit: 'entries', json: options.json });
      const verdict = await untilInterrupted((signal) => judge(location, signers, options.noted, { bar, signal }));
      bar.stop();
      if (options.json) print(JSON.stringify(verdict));
      if (!verdict.whole) {
        if (!options.json) throw new SealsumError('log_broken', verdict.reason ?? 'the audit log is broken');
        process.exitCode = 1;
        return;
      }
      if (!options.json) print(inWords(verdict));
    });
  withStoreOptions(command);
}

/** Where the keys are that may have signed. */
interface Signers {
  readonly roster?: string | undefined;
  readonly name?: PartyId | undefined;
  readonly key?: readonly string[];
}

interface Watched {
  readonly bar: Progress;
  readonly signal: AbortSignal;
}

function judge(
  location: string,
  signers: Signers,
  noted: NotedEntry | undefined,
  { bar, signal }: Watched,
): Promise<Verdict> {
  return readStore(location, async ({ role, rows }) => {
    const keys = await keysOf(role, signers);
    bar.update(0, await countAuditEntries(rows));
    try {
      return { whole: true, ...(await verifyLog(watched(auditEntries(rows), { bar, signal }), keys, noted)) };
    } catch (error) {
      if (!(error instanceof SealsumError) || error.code !== 'log_broken') throw error;
      return { whole: false, reason: error.message };
    }
  });
}

/** Entries between two looks at the clock and at the terminal: to check one takes a tenth of a millisecond. */
const portion = 200;

/** Tells how many entries have been checked, and lets signals in: a SQLite file is read without any wait. */
async function* watched<T>(entries: AsyncIterable<T>, { bar, signal }: Watched): AsyncGenerator<T> {
  let done = 0;
  for await (const entry of entries) {
    yield entry;
    done += 1;
    if (done % portion !== 0) continue;
    bar.update(done);
    await setImmediate();
    if (signal.aborted) throw aborted(signal);
  }
  bar.update(done);
}

async function keysOf(role: Role, { roster, name, key }: Signers): Promise<readonly Party[]> {
  // Without a roster nobody says what the party is called, and nothing that is signed depends on it.
  if (roster === undefined) return (key ?? []).map((each) => createParty(partyIdSchema.parse('party'), role, each));
  const parties = partiesOf(await readRoster(roster));
  if (name !== undefined) return parties.keysOf(parties.named(name, role).name);
  const [only, other] = parties.all.filter((party) => party.role === role);
  if (only === undefined) throw usageError(`the roster names no ${role}, whose store this is`);
  if (other !== undefined)
    throw usageError(`the roster names several parties in the role of ${role}; say which with --name`);
  return parties.keysOf(only.name);
}

function inWords({ entries = 0, first = 0, last = 0, anchor = '', head = '' }: Verdict): string {
  if (entries === 0) return 'the audit log has no entries';
  const before = first === 1 ? '' : `\nbefore it: ${first - 1}:${anchor} (no longer kept)`;
  return `the audit log is whole: ${entries} entries${before}\nto note: ${last}:${head}`;
}

function parseName(text: string): PartyId {
  const parsed = partyIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? 'expected a name');
}

function addKey(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function parseNoted(text: string): NotedEntry {
  const [, sequence, hash] = /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new InvalidArgumentError('expected the number of an entry, a colon, and its hash in 64 hexadecimal digits');
  return { sequence: Number(sequence), hash };
}
