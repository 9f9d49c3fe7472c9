/** `sealsum consent`: what jobs ask of a data owner, and what a person says to it. Asks the running party. */
import { Argument, type Command, Option } from 'commander';
import { readTextFile } from '../config/files.ts';
import { readAnyConfig } from '../config/load.ts';
import type { DataOwnerConfig } from '../config/party-config.ts';
import { SealsumError } from '../errors.ts';
import { fetchJobRequest, fetchOwnedJobs, sendDecision } from '../http/data-owner-client.ts';
import type { OwnedJobView } from '../http/owned-job.ts';
import { createTransport } from '../http/transport.ts';
import { readToken, withToken } from './access-token.ts';
import { requestText } from './consent-text.ts';
import { usageError } from './program.ts';

const help = `
Jobs wait for a person where config.toml says so: [policy] consent = "ask". Without a job, those that wait are listed; with a job alone, it is
shown what would be released if it were approved. Nothing is said to anybody, and nothing is charged, until it is approved.

The data owner must be running. config.toml says where it listens and which token it asks for; --url asks another address.
The reason of a refusal is read by the facilitator and the model owner. A decision stands once the data owner has answered.

Examples:
  sealsum consent --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes approve --config project/north/config.toml
  sealsum consent 0190a5c2-diabetes refuse --reason "the board meets in May" --url http://127.0.0.1:5000`;

interface Options {
  readonly config?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly reason?: string;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerConsentCommand(program: Command, print: (text: string) => void = console.log): void {
  program
    .command('consent')
    .summary('list the jobs that wait for a person at a data owner, look at one, approve or refuse it')
    .description('Show what jobs ask of a data owner whose people decide, and approve or refuse them.')
    .argument('[job]', 'the job; all that wait unless given')
    .addArgument(new Argument('[decision]', 'what to say').choices(['approve', 'refuse']))
    .addOption(
      new Option('--config <file>', 'the config.toml of the data owner (default: that of this folder)').env(
        'SEALSUM_CONFIG',
      ),
    )
    .option('--url <url>', 'where the data owner listens, where it is not what the configuration says')
    .option('--token-file <file>', 'a file with the token that the data owner asks for')
    .option('--ca <file>', "who signed the data owner's certificate (default: what the system trusts)")
    .option('--reason <text>', 'why, in a few words; of a refusal others read it')
    .option('--json', 'print JSON', false)
    .addHelpText('after', help)
    .action(async (job: string | undefined, decision: 'approve' | 'refuse' | undefined, options: Options) => {
      if (options.reason !== undefined && decision === undefined)
        throw usageError('--reason goes with approve or refuse');
      const { url, tokenFile } = await addressOf(options);
      const ca = options.ca === undefined ? undefined : await readTextFile(options.ca, '--ca');
      const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
      await using transport = createTransport(ca === undefined ? {} : { ca });
      const send = token === undefined ? transport.fetch : withToken(transport.fetch, token);
      if (job === undefined) {
        print(await listed(url, options.json, send));
        return;
      }
      // What is decided is what was looked at just before.
      const request = await fetchJobRequest(url, job, send);
      if (decision === undefined) {
        print(options.json ? JSON.stringify(request) : requestText(request));
        return;
      }
      const { reason } = options;
      const said = { decision, job_digest: request.job_digest, ...(reason === undefined ? {} : { reason }) };
      const view = await sendDecision(url, job, said, send);
      print(options.json ? JSON.stringify(view) : outcomeOf(view, decision));
    });
}

function outcomeOf({ job, status, reason }: OwnedJobView, decision: 'approve' | 'refuse'): string {
  if (decision === 'refuse') return `${job} is refused`;
  if (status === 'refused')
    return `${job} was approved, and is refused all the same: ${reason ?? 'the owner knows why'}`;
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

interface Address {
  readonly url: string;
  readonly tokenFile?: string;
}

/** What is said on the command line goes before the configuration, which need not be there then. */
async function addressOf({ url, tokenFile, config: file }: Options): Promise<Address> {
  const told = tokenFile === undefined ? {} : { tokenFile };
  if (url !== undefined && file === undefined) return { url, ...told };
  const config = await readAnyConfig(file);
  if (config.role !== 'data-owner')
    throw new SealsumError('config_invalid', `${config.file}: role is ${config.role}; only a data owner is asked`, {
      field: 'role',
    });
  const { accessTokenFile } = config;
  return {
    url: url ?? urlOf(config),
    ...(accessTokenFile === undefined ? {} : { tokenFile: accessTokenFile }),
    ...told,
  };
}

/** Who listens everywhere listens on loopback too. */
function urlOf({ listen: { host, port, publicUrls }, tls }: DataOwnerConfig): string {
  const [first] = publicUrls;
  if (first !== undefined) return first;
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${tls === undefined ? 'http' : 'https'}://${near.includes(':') ? `[${near}]` : near}:${port}`;
}
