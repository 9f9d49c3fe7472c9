/** `sealsum consent`: what jobs ask of a data owner, and what a person says to it. Asks the running party. */
import { Argument, type Command } from 'commander';
import { fetchJobRequest, fetchOwnedJobs, sendDecision } from '../http/data-owner-client.ts';
import type { OwnedJobView } from '../http/owned-job.ts';
import { systemClock } from '../protocol/clock.ts';
import { requestText } from './consent-text.ts';
import { type AccessOptions, openDataOwner, withAccessOptions } from './party-access.ts';
import { printable } from './printable.ts';
import { usageError } from './program.ts';

const help = `
Jobs wait for a person where config.toml says so: [policy] consent = "ask". Without a job, those that wait are listed; with a job alone, it is
shown what would be released if it were approved. Nothing is said to anybody, and nothing is charged, until it is approved.

The data owner must be running. config.toml says where it listens and which token it asks for; --url asks another address.
The reason of a refusal is read by the facilitator and the model owner. A decision stands once the data owner has answered. A job is shown with
its digest; without --digest the job is decided that has the name now.

Examples:
  sealsum consent --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes approve --digest 5e8c9902207afaeb… --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes refuse --reason "the board meets in May" --url http://127.0.0.1:5000`;

interface Options extends AccessOptions {
  readonly reason?: string;
  readonly digest?: string;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerConsentCommand(program: Command, print: (text: string) => void = console.log): void {
  const command = program
    .command('consent')
    .summary('list the jobs that wait for a person at a data owner, look at one, approve or refuse it')
    .description('Show what jobs ask of a data owner whose people decide, and approve or refuse them.')
    .argument('[job]', 'the job; all that wait unless given')
    .addArgument(new Argument('[decision]', 'what to say').choices(['approve', 'refuse']))
    .option('--digest <digest>', 'of the job as it was shown: another one that has its name by now is not decided')
    .option('--reason <text>', 'why, in a few words; of a refusal others read it')
    .option('--json', 'print JSON', false)
    .addHelpText('after', help)
    .action(async (job: string | undefined, decision: 'approve' | 'refuse' | undefined, options: Options) => {
      if (options.reason !== undefined && decision === undefined)
        throw usageError('--reason goes with approve or refuse');
      if (options.digest !== undefined && decision === undefined)
        throw usageError('--digest goes with approve or refuse');
      await using owner = await openDataOwner(options, { clock: systemClock });
      const { url, fetch: send } = owner;
      if (job === undefined) {
        print(await listed(url, options.json, send));
        return;
      }
      if (decision === undefined) {
        const request = await fetchJobRequest(url, job, send);
        print(options.json ? JSON.stringify(request) : requestText(request));
        return;
      }
      const { reason, digest = (await fetchJobRequest(url, job, send)).job_digest } = options;
      const said = { decision, job_digest: digest, ...(reason === undefined ? {} : { reason }) };
      const view = await sendDecision(url, job, said, send);
      print(options.json ? JSON.stringify(view) : outcomeOf(view, decision));
    });
  withAccessOptions(command);
}

function outcomeOf({ job, status, reason }: OwnedJobView, decision: 'approve' | 'refuse'): string {
  if (decision === 'refuse') return `${job} is refused`;
  if (status === 'refused')
    return `${job} was approved, and is refused all the same: ${printable(reason ?? 'the owner knows why')}`;
  return `${job} is approved${status === 'ready' ? ', and the facilitator knows' : ''}`;
}

async function listed(url: string, json: boolean, send: typeof fetch): Promise<string> {
  const waiting = (await fetchOwnedJobs(url, send)).filter(({ status }) => status === 'asking');
  const requests = [];
  for (const { job } of waiting) requests.push(await fetchJobRequest(url, job, send));
  if (json) return JSON.stringify({ jobs: requests });
  if (requests.length === 0) return 'no job waits for a person';
  return requests.map(requestText).join('\n\n');
}
