/** `sealsum ledger`: what a data owner has spent of its privacy, and what its policy leaves. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { openPolicy } from '../config/owner-policy.ts';
import type { PartyConfig } from '../config/party-config.ts';
import { SealsumError } from '../errors.ts';
import { fetchLedger } from '../http/data-owner-client.ts';
import { type AccountView, type Amount, type LedgerStatement, ledgerStatement } from '../privacy/ledger-statement.ts';
import { systemClock } from '../protocol/clock.ts';
import { ledgerEntries } from '../storage/durable-ledger-store.ts';
import { readStore } from '../storage/store-reader.ts';
import { openDataOwner } from './party-access.ts';
import { usageError } from './program.ts';
import { chosenStore, type StoreOptions, withStoreOptions } from './store-options.ts';
import { alignedTable } from './table.ts';

const help = `
The config.toml of the data owner says where its store is and what its policy allows; --store alone shows what was spent, without
any cap. The owner may be running. --url asks a running one, whatever else is said.

Every data set has an account of its own for each unit. What is left is what the policy still lets be spent; rounds without
differential privacy are counted, and no epsilon is told for an account that has any.

Examples:
  sealsum ledger --config project/north/config.toml
  sealsum ledger --store backup.sqlite --json
  sealsum ledger --url http://127.0.0.1:5000 --token-file access-token`;

interface Options extends StoreOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerLedgerCommand(program: Command, print: (text: string) => void = console.log): void {
  const command = program
    .command('ledger')
    .summary('show what a data owner has spent of its privacy, and what is left')
    .description("Show what is spent and left of a data owner's privacy, per data set and unit.")
    .option('--url <url>', 'where the data owner listens, to ask it in place of its store')
    .option('--token-file <file>', 'with --url: a file with the token that the data owner asks for')
    .option('--ca <file>', "with --url: who signed the data owner's certificate (default: what the system trusts)")
    .option('--json', 'print one JSON object, with every entry', false)
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const statement = options.url === undefined ? await ofStore(options) : await ofUrl(options.url, options);
      print(options.json ? JSON.stringify(statement) : ledgerTable(statement));
    });
  withStoreOptions(command);
}

async function ofUrl(url: string, { tokenFile, ca }: Options): Promise<LedgerStatement> {
  const said = { url, ...(tokenFile === undefined ? {} : { tokenFile }), ...(ca === undefined ? {} : { ca }) };
  await using owner = await openDataOwner(said, { clock: systemClock });
  return await fetchLedger(owner.url, owner.fetch);
}

async function ofStore(options: Options): Promise<LedgerStatement> {
  if ((options.tokenFile ?? options.ca) !== undefined) throw usageError('--token-file and --ca go with --url');
  const { location, config } = await chosenStore(options);
  const { policy, dataset } = terms(config);
  return await readStore(location, async ({ role, name, rows }) => {
    if (role !== 'data-owner') throw usageError(`${name} is the store of a ${role}; only a data owner has a ledger`);
    const known = dataset === undefined ? [] : policy.units.map((unit) => ({ dataset, unit }));
    return ledgerStatement(await ledgerEntries(rows), policy.caps, known);
  });
}

/** What a data owner is told; a store by itself says nothing of it. */
function terms(config: PartyConfig | undefined): { policy: typeof openPolicy; dataset?: string } {
  if (config === undefined) return { policy: openPolicy };
  if (config.role === 'data-owner')
    return { policy: config.policy, ...(config.data === undefined ? {} : { dataset: basename(config.data) }) };
  throw new SealsumError('config_invalid', `${config.file}: role is ${config.role}; only a data owner has a ledger`, {
    field: 'role',
  });
}

/** One line for each account. */
export function ledgerTable({ accounts, caps: { delta } }: Pick<LedgerStatement, 'accounts' | 'caps'>): string {
  if (accounts.length === 0) return 'nothing was charged';
  const epsilons = delta === null ? [] : [`spent epsilon (delta ${delta})`, 'left epsilon'];
  const lines = accounts.map(({ dataset, unit, neighbours, rounds, spent, left }) => [
    dataset ?? '(any)',
    unit,
    neighbours ?? '-',
    String(rounds),
    String(spent.rho.value),
    left === null ? 'not limited' : String(left.rho.value),
    ...(delta === null ? [] : [epsilonOf(spent), left === null ? 'not limited' : epsilonOf(left)]),
  ]);
  const table = [['data set', 'unit', 'neighbours', 'rounds', 'spent rho', 'left rho', ...epsilons], ...lines];
  return [...alignedTable(table), ...notes(accounts)].join('\n');
}

function epsilonOf({ epsilon }: Amount): string {
  return epsilon === null ? '-' : String(epsilon);
}

/** What no ρ accounts for, once for each data set. */
function notes(accounts: readonly AccountView[]): string[] {
  const unprotected = new Map(accounts.map(({ dataset, unprotected_rounds }) => [dataset, unprotected_rounds]));
  return [...unprotected].flatMap(([dataset, rounds]) => {
    if (rounds === 0) return [];
    const counted = rounds === 1 ? '1 round' : `${rounds} rounds`;
    return [`${dataset ?? '(any)'}: ${counted} without differential privacy, which no rho accounts for`];
  });
}
