/** `sealsum invite`: writes a signed invitation for a party on another machine. */
import { dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readSecrets } from '../config/identity-file.ts';
import { createInvitation } from '../config/invitation.ts';
import { readAnyConfig } from '../config/load.ts';
import { existingPassphrase } from '../config/passphrase.ts';
import { writeInvitation } from '../config/project-documents.ts';
import { type Roster, readRoster } from '../config/roster-file.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { type Identity, type Role, roles } from '../protocol/identity.ts';
import { usageError } from './program.ts';
import { type ProjectServices, parseName, systemServices } from './project-services.ts';

const examples = `
Examples:
  sealsum invite south --config project/facilitator/config.toml
  sealsum invite south east lab:model-owner --valid-days 3 --json`;

interface Invitee {
  readonly name: PartyId;
  readonly role: Role;
}

export interface InviteOptions {
  readonly invite?: readonly Invitee[];
  readonly validDays: number;
}

/** An invitation that was written. */
export interface Invited extends Invitee {
  readonly file: string;
  readonly expires: string;
}

export function inviteOption(): Option {
  return new Option('--invite <name[:role]>', 'invite a data owner, or another role; may be repeated').argParser(
    collectInvitee,
  );
}

export function validDaysOption(): Option {
  return new Option('--valid-days <number>', 'how long invitations can be answered')
    .default(14)
    .argParser((text: string): number => {
      const days = Number(text);
      if (!/^[0-9]+$/.test(text) || days < 1 || days > 365) throw new InvalidArgumentError('expected 1 to 365 days');
      return days;
    });
}

export function registerInviteCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('invite')
    .summary('invite one more party to a project')
    .description('Write signed invitations, which the invited parties answer with sealsum join.')
    .argument('<name[:role]...>', 'whom to invite: data owners, or another role after a colon', collectInvitee)
    .option('--config <file>', 'the config.toml of the facilitator', 'config.toml')
    .addOption(validDaysOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(async (invitees: readonly Invitee[], options: { config: string; validDays: number; json: boolean }) => {
      const config = await readAnyConfig(options.config);
      if (config.role !== 'facilitator') throw usageError(`${options.config}: only a facilitator invites`);
      const { env, terminal, print } = services;
      const roster = await readRoster(config.roster);
      const what = `the identity of ${config.name}`;
      const passphrase = await existingPassphrase(what, { file: config.passphraseFile, env, terminal });
      const { identity } = await readSecrets(config.identity, config.name, config.role, passphrase);
      const asked = { invite: invitees, validDays: options.validDays };
      const invitations = await invite(dirname(config.roster), identity, roster, asked, services);
      if (options.json) {
        print(JSON.stringify({ invitations }));
        return;
      }
      for (const { name, role, file, expires } of invitations)
        print(`${file} invites ${name}, ${role}, until ${expires}: send it, and give sealsum admit the answer`);
    });
}

/** Writes invitations into the project. */
export async function invite(
  project: string,
  facilitator: Identity,
  roster: Roster,
  { invite: invitees = [], validDays }: InviteOptions,
  { clock, random }: ProjectServices,
): Promise<Invited[]> {
  const expires = clock.now() + validDays * 24 * 3600 * 1000;
  // All of them are made before any is written.
  const signed = invitees.map(({ name, role }) =>
    createInvitation(facilitator, roster, { name, role, expires }, random),
  );
  const written: Invited[] = [];
  for (const each of signed) {
    const file = await writeInvitation(project, each);
    const { name, role, expires: until } = each.invitation;
    written.push({ name, role, file, expires: until });
  }
  return written;
}

function collectInvitee(text: string, before: readonly Invitee[] | undefined): readonly Invitee[] {
  return [...(before ?? []), parseInvitee(text)];
}

function parseInvitee(text: string): Invitee {
  const [name = '', role = 'data-owner', ...more] = text.split(':');
  const known = roles.find((each) => each === role);
  if (known === undefined || more.length > 0)
    throw new InvalidArgumentError('expected NAME, NAME:data-owner, NAME:model-owner or NAME:facilitator');
  return { name: parseName(name), role: known };
}
