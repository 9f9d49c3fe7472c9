/** `sealsum status`: how a running party fares, once or as it happens. */
import type { Command } from 'commander';
import type { FollowHooks } from '../http/facilitator-client.ts';
import type { JobEvent } from '../protocol/events.ts';
import { ledgerTable } from './ledger-command.ts';
import { type AccessOptions, connectAsParty, openAccess, withAccessOptions } from './party-access.ts';
import { printable } from './printable.ts';
import { untilInterrupted, usageError } from './program.ts';
import { type ProjectServices, systemServices } from './project-services.ts';
import type { JobStatus, ModelStatus, OwnedJobStatus, PartyStatus } from './status-view.ts';
import { statusOf } from './status-view.ts';
import { alignedTable, counted } from './table.ts';

const help = `
The config.toml says which party it is and where it listens. With --url alone a data owner or model owner is asked; a facilitator
answers to signed requests only, and needs its config.toml for its identity.

--watch goes on with a line for whatever the facilitator tells this party of its jobs, as it happens, until Ctrl-C, which is no
error then; with --json each line is one JSON object. After a line that broke it tells the status anew.

Examples:
  sealsum status --config project/facilitator/config.toml
  sealsum status --config project/owner-1/config.toml --watch
  sealsum status --url http://127.0.0.1:9090 --json`;

interface Options extends AccessOptions {
  readonly watch: boolean;
  readonly all: boolean;
  readonly json: boolean;
}

export function registerStatusCommand(program: Command, services: ProjectServices = systemServices): void {
  const command = program
    .command('status')
    .summary('show how a running party fares: jobs, rounds, models, privacy spent')
    .description('Show whether a running party is ready, its jobs or models and how far they are, and privacy spent.')
    .option('--watch', 'go on with a line for everything that happens', false)
    .option('--all', 'show what has ended too, not only the newest', false)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action((options: Options) => untilInterrupted((signal) => show(options, services, signal)));
  withAccessOptions(command);
}

async function show(options: Options, services: ProjectServices, signal: AbortSignal): Promise<void> {
  const { print } = services;
  await using access = await openAccess(options, services, signal);
  if (options.watch && access.config === undefined)
    throw usageError('--watch needs the config.toml of the party, which is told of its jobs by its identity');
  const tell = async (): Promise<void> => {
    const status = await statusOf(access, signal);
    print(options.json ? JSON.stringify(status) : inWords(status, options.all));
  };
  if (!options.watch || access.config === undefined) {
    await tell();
    return;
  }
  // A party that does not answer at all is no line that broke.
  await access.ready(signal);
  await using connection = await connectAsParty(access.config, services);
  // Without an end, whoever has read enough must end it.
  const unread = new AbortController();
  const leave = (): void => {
    unread.abort();
  };
  process.stdout.once('error', leave);
  // The clock's timers keep no process alive, and a line that is broken does not either.
  const awake = setInterval(() => undefined, 60_000);
  try {
    let broken = false;
    const hooks: FollowHooks = {
      // Told once the line stands (again), so that nothing happens between what is told and what follows.
      onConnected: async () => {
        await tell();
        broken = false;
      },
      onBroken: () => {
        if (!broken) console.error('sealsum: the line to the facilitator is broken; trying again');
        broken = true;
      },
    };
    for await (const event of connection.client.followAll(undefined, AbortSignal.any([signal, unread.signal]), hooks))
      print(options.json ? JSON.stringify({ ...event, view: undefined }) : eventLine(event));
  } finally {
    clearInterval(awake);
    process.stdout.removeListener('error', leave);
  }
}

function eventLine({ at, job, type, round, owner, status, reason }: JobEvent): string {
  const what = type.replace(/^[a-z]+\./, '');
  const where = round === undefined ? `job ${job}` : `job ${job}, round ${round}`;
  const said = {
    'job.created': 'created',
    'job.ended': `ended: ${status ?? what}`,
    'owner.answered': `${owner ?? 'an owner'} is ${status ?? what}`,
    'round.opened': 'opened',
    'round.contribution': `contribution of ${owner ?? 'an owner'}`,
    'round.closed': 'closed',
    'round.abandoned': 'abandoned',
  }[type];
  return `${at}  ${where}: ${said}${reason === undefined ? '' : `: ${printable(reason)}`}`;
}

/** Of what has ended, how many lines are shown without --all. */
const endedShown = 5;

/** What people read. @param all whether everything that has ended is shown too */
export function inWords(status: PartyStatus, all = false): string {
  const { role, name, url, ready, reason, facilitator, connected_owners: owners } = status;
  const lines = [
    `${role.replace('-', ' ')} ${name ?? ''}`.trimEnd() +
      ` at ${url}: ${ready ? 'ready' : `not ready${reason === undefined ? '' : `, ${reason}`}`}`,
  ];
  if (facilitator !== undefined)
    lines.push(
      `facilitator ${facilitator.name} at ${facilitator.url}: ${facilitator.connected ? 'connected' : 'not connected'}`,
    );
  if (owners !== undefined)
    lines.push(owners.length === 0 ? 'no data owner is connected' : `connected: ${owners.join(', ')}`);
  if (status.jobs !== undefined) lines.push(...section('jobs', status.jobs, jobLine, isOpenJob, all));
  if (status.owned_jobs !== undefined)
    lines.push(...section('jobs', status.owned_jobs, ownedJobLine, isOpenOwnedJob, all));
  if (status.models !== undefined) lines.push(...section('models', status.models, modelLine, isOpenModel, all));
  if (status.privacy !== undefined)
    lines.push('', 'privacy spent and left:', ...ledgerTable(status.privacy).split('\n').map(indented));
  return lines.join('\n');
}

function section<T>(
  what: string,
  items: readonly T[],
  cells: (item: T) => readonly string[],
  isOpen: (item: T) => boolean,
  all: boolean,
): string[] {
  if (items.length === 0) return ['', `no ${what} yet`];
  const ended = items.filter((item) => !isOpen(item));
  const hidden = all ? new Set<T>() : new Set(ended.slice(0, -endedShown));
  const shown = items.filter((item) => !hidden.has(item));
  const more = hidden.size === 0 ? '' : `, and ${counted(hidden.size, 'older one')} that ended (--all shows them)`;
  return ['', `${what}: ${shown.length}${more}`, ...alignedTable(shown.map(cells)).map(indented)];
}

function indented(line: string): string {
  return `  ${line}`;
}

const isOpenJob = ({ status }: JobStatus): boolean => status === 'open';
const isOpenOwnedJob = ({ status }: OwnedJobStatus): boolean => status !== 'ended' && status !== 'refused';
const isOpenModel = ({ status }: ModelStatus): boolean => !['finished', 'failed', 'cancelled'].includes(status);

function jobLine({ job, status, owners, ready, round, ...rest }: JobStatus): string[] {
  const { round_status: state, contributors = 0, missing = [] } = rest;
  const gathered = state === undefined ? '' : `${state}, ${contributors}/${contributors + missing.length} contributed`;
  const waiting = state === 'open' && missing.length > 0 ? `, missing ${missing.join(', ')}` : '';
  const counts = ready === undefined ? counted(owners, 'owner') : `${ready}/${counted(owners, 'owner')} ready`;
  return [job, status, counts, round === 0 ? 'no round yet' : `round ${round}`, `${gathered}${waiting}`];
}

function ownedJobLine({ job, status, records, round, reason }: OwnedJobStatus): string[] {
  return [
    job,
    status,
    records === undefined ? '' : counted(records, 'record'),
    round === undefined ? '' : `round ${round}`,
    reason ?? '',
  ];
}

function modelLine(model: ModelStatus): string[] {
  const {
    id,
    name = '',
    model_type: type,
    status,
    updates,
    planned_updates: planned,
    owners,
    failure,
    privacy,
  } = model;
  const { last_round: last } = model;
  const ready = owners.filter((owner) => owner.status === 'ready').length;
  const spent =
    privacy.spent === undefined
      ? privacy.guarantee
      : `rho ${privacy.spent.rho.number} of ${privacy.promised?.rho.number ?? '?'} spent`;
  return [
    id,
    name === '' ? type : `${name} (${type})`,
    status,
    `${updates}/${planned} updates`,
    `${ready}/${counted(owners.length, 'owner')} ready`,
    last === undefined ? '' : `${last.seconds.toFixed(2)} s for the last round`,
    spent,
    failure?.detail ?? '',
  ];
}
