/** `sealsum init`: makes a project, for one machine to try it out or for several that come by invitation. */
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  createFacilitatorProject,
  createLocalProject,
  localNames,
  type MadeProject,
  rosterName,
} from '../config/project.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { type Invited, type InviteOptions, invite, inviteOption, validDaysOption } from './invite-command.ts';
import { usageError } from './program.ts';
import {
  chosenPassphrase,
  fingerprintJson,
  fingerprintTable,
  type PassphraseOptions,
  type ProjectServices,
  parseName,
  parseUrl,
  quoted,
  systemServices,
  withPassphraseOptions,
} from './project-services.ts';

const examples = `
Examples:
  sealsum init trial --owners north,south,west
  sealsum init project --party facilitator --name sums --url https://sums.example.org:8080 \\
    --invite north --invite south --invite research:model-owner

The first makes everything for one machine. The second makes a facilitator, and invitations to send to the others: each of
them runs sealsum join and sends the answer back, which sealsum admit puts into the roster.`;

interface InitOptions extends PassphraseOptions, InviteOptions {
  readonly owners?: readonly PartyId[];
  readonly facilitatorUrl?: string;
  readonly ports?: { readonly facilitator: number; readonly modelOwner: number; readonly firstOwner: number };
  readonly party?: 'facilitator';
  readonly name?: PartyId;
  readonly url?: string;
  readonly json: boolean;
}

const defaultOwners = 'owner-1,owner-2,owner-3';

export function registerInitCommand(program: Command, services: ProjectServices = systemServices): void {
  const command = program
    .command('init')
    .summary('make a project: identities, roster, configurations, invitations')
    .description('Make a project in a folder: an identity for each party, the roster, and a config.toml for each.')
    .argument('<folder>', 'where it is made; nothing in it is overwritten')
    .option('--owners <names>', `the data owners, with commas (default: ${defaultOwners})`, parseNames)
    .option('--facilitator-url <url>', 'where the others find the facilitator', parseUrl)
    .option('--ports <f,m,o>', 'of facilitator, model owner and first data owner (default: 8080,9090,5000)', parsePorts)
    .addOption(new Option('--party <role>', 'make this party only, and invite the others').choices(['facilitator']))
    .option('--name <name>', 'with --party: its name (default: facilitator)', parseName)
    .option('--url <url>', 'with --party: where the others find it', parseUrl)
    .addOption(inviteOption())
    .addOption(validDaysOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(async (folder: string, options: InitOptions) => {
      if (options.party === undefined) await initLocal(folder, options, services);
      else await initFacilitator(folder, options, services);
    });
  withPassphraseOptions(command);
}

async function initLocal(folder: string, options: InitOptions, services: ProjectServices): Promise<void> {
  for (const name of ['name', 'url', 'invite'] as const)
    if (options[name] !== undefined) throw usageError(`--${name} goes with --party facilitator`);
  const owners = options.owners ?? parseNames(defaultOwners);
  const passphrase = await chosenPassphrase('the identities', options, { local: true }, services);
  const { facilitatorUrl, ports } = options;
  const made = await createLocalProject({ folder, owners, facilitatorUrl, ports, passphrase }, services.random);
  const commands = startCommands(folder, owners);
  if (options.json) {
    services.print(JSON.stringify({ ...projectJson(folder, made), commands }, undefined, 2));
    return;
  }
  services.print(`A project for this machine is in ${folder}. Its parties, and their fingerprints:

${fingerprintTable(made.roster)}

Put each owner's records into ${quoted(folder)}/OWNER/data.csv, or name another file in its config.toml. Then start them,
each in a terminal of its own:

${commands.map((each) => `  ${each}`).join('\n')}`);
}

async function initFacilitator(folder: string, options: InitOptions, services: ProjectServices): Promise<void> {
  for (const [name, flag] of [
    ['owners', '--owners'],
    ['facilitatorUrl', '--facilitator-url'],
    ['ports', '--ports'],
  ] as const)
    if (options[name] !== undefined) throw usageError(`${flag} does not go with --party; see --invite and --url`);
  const { url, name = localNames.facilitator } = options;
  if (url === undefined) throw usageError('--party facilitator needs --url, where the others find it');
  const passphrase = await chosenPassphrase(`the identity of ${name}`, options, { local: false }, services);
  const { port, origin } = new URL(url);
  const made = await createFacilitatorProject(
    folder,
    { name, url, passphrase, publicUrls: [origin], ...(port === '' ? {} : { port: Number(port) }) },
    services.random,
  );
  const [facilitator] = made.parties;
  if (facilitator === undefined) throw usageError('no facilitator was made');
  const invitations = await invite(folder, facilitator.identity, made.roster, options, services);
  if (options.json) {
    services.print(JSON.stringify({ ...projectJson(folder, made), invitations }, undefined, 2));
    return;
  }
  services.print(`A project is in ${folder}. The facilitator, and its fingerprint to compare by telephone:

${fingerprintTable(made.roster)}

${invitationText(invitations)}
Its ${join(quoted(folder), name, 'config.toml')} serves this machine only until you give it a host and [tls]. Then start it:

  sealsum facilitator --config ${quoted(join(folder, name, 'config.toml'))}`);
}

function invitationText(invitations: readonly Invited[]): string {
  if (invitations.length === 0) return 'Invite the others with: sealsum invite NAME --config CONFIG\n';
  const lines = invitations.map(({ name, role, file, expires }) => `  ${file}  for ${name}, ${role}, until ${expires}`);
  return `Send these to those whom they invite; each runs sealsum join, and sealsum admit takes the answer:\n\n${lines.join('\n')}\n`;
}

function projectJson(folder: string, { roster, parties }: MadeProject): object {
  const configs = new Map(parties.map(({ identity, config }) => [identity.name, config]));
  const { roster_digest, parties: known } = fingerprintJson(roster);
  return {
    folder,
    roster: join(folder, rosterName),
    roster_digest,
    parties: known.map((party) => ({ ...party, config: configs.get(party.name) })),
  };
}

/** One command for the facilitator, one for all data owners, one for the model owner. */
function startCommands(folder: string, owners: readonly PartyId[]): string[] {
  const config = (party: string): string => quoted(join(folder, party, 'config.toml'));
  return [
    `sealsum facilitator --config ${config(localNames.facilitator)}`,
    `for owner in ${owners.join(' ')}; do sealsum data-owner --config ${quoted(folder)}/$owner/config.toml & done; wait`,
    `sealsum model-owner --config ${config(localNames.modelOwner)}`,
  ];
}

function parseNames(text: string): PartyId[] {
  return text.split(',').map(parseName);
}

function parsePorts(text: string): { facilitator: number; modelOwner: number; firstOwner: number } {
  const [facilitator, modelOwner, firstOwner, ...more] = text.split(',').map(parsePort);
  if (facilitator === undefined || modelOwner === undefined || firstOwner === undefined || more.length > 0)
    throw new InvalidArgumentError('expected three numbers such as 8080,9090,5000');
  return { facilitator, modelOwner, firstOwner };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\s*[0-9]{1,5}\s*$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('expected ports from 0 to 65535');
  return port;
}
