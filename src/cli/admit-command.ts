/** `sealsum admit`: puts a party that answered an invitation, or the new key of one that is there, into the roster. */
import { join } from 'node:path';
import type { Command, CommanderError } from 'commander';
import { openJoinRequest } from '../config/invitation.ts';
import { entryFor, rosterName } from '../config/project.ts';
import { readDocument, readInvitations } from '../config/project-documents.ts';
import { createRoster, entryOf, type Roster, readRoster, rosterDigest, writeRoster } from '../config/roster-file.ts';
import { isFingerprint, spoken, spokenFingerprint } from '../config/spoken.ts';
import { admitSuccession, openSuccession } from '../config/successor.ts';
import { SealsumError } from '../errors.ts';
import { createParty, type Party } from '../protocol/identity.ts';
import { named } from './files.ts';
import { usageError } from './program.ts';
import { type ProjectServices, parseUrl, systemServices } from './project-services.ts';

const examples = `
Examples:
  sealsum admit north.join.json --project project
  sealsum admit north.successor.json --project project --fingerprint 'romeo saturn ...'
  sealsum admit east-sums.join.json --url https://east.example.org:8080

Read the fingerprint to the other side by telephone: it says who sent the file, and nothing else does.`;

interface AdmitOptions {
  readonly project: string;
  readonly fingerprint?: string;
  readonly url?: string | undefined;
  readonly json: boolean;
}

/** What a file asks for. */
interface Change {
  /** With the key that it is to have. */
  readonly party: Party;
  readonly what: string;
  /** As it is when the change is admitted; undefined when it has been before. */
  readonly roster: Roster | undefined;
}

export function registerAdmitCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('admit')
    .summary('put an invited party, or the new key of a known one, into the roster')
    .description(
      'Check what sealsum join or sealsum rotate wrote, compare its fingerprint, and put it into roster.toml.',
    )
    .argument('<file>', 'the answer to an invitation, or a successor statement')
    .option('--project <folder>', 'the folder with roster.toml', '.')
    .option('--fingerprint <text>', 'what the other side read out; nothing is asked when it is right')
    .option('--url <url>', 'of a facilitator: where the other parties reach it', parseUrl)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(async (file: string, { project, fingerprint, url, json }: AdmitOptions) => {
      const rosterFile = join(project, rosterName);
      const roster = await readRoster(rosterFile);
      const document = await readDocument(file);
      const {
        party,
        what,
        roster: after,
      } = await changeOf(document, roster, { project, url }, services).catch((error: unknown) => {
        throw named(file, error);
      });
      const { name, role, fingerprint: its } = party;
      const toJson = (admitted: boolean, known: Roster): string =>
        JSON.stringify({
          name,
          role,
          fingerprint: its,
          admitted,
          roster: rosterFile,
          roster_digest: rosterDigest(known),
        });
      if (after === undefined) {
        if (json) services.print(toJson(false, roster));
        else services.print(`${party.name} is on ${rosterFile} with this key already.`);
        return;
      }
      if (fingerprint === undefined) await confirm(party, what, services);
      else if (!isFingerprint(fingerprint, party.fingerprint))
        throw refuseFingerprint(`${file} has another fingerprint: ${spokenFingerprint(party.fingerprint)}`);
      await writeRoster(rosterFile, after, { replace: true });
      if (json) {
        services.print(toJson(true, after));
        return;
      }
      const digest = spoken(Buffer.from(rosterDigest(after), 'hex'));
      services.print(`${party.name} ${what}. Copy ${rosterFile} to the machines of all parties, which read it without a restart.
Its digest, for them to compare with sealsum fingerprints: ${digest}`);
    });
}

async function changeOf(
  document: unknown,
  roster: Roster,
  { project, url }: Pick<AdmitOptions, 'project' | 'url'>,
  { clock }: ProjectServices,
): Promise<Change> {
  const refuseUrl = (name: string): CommanderError =>
    usageError(`--url is for facilitators that join; ${name} is none`);
  if (typeof document === 'object' && document !== null && 'successor' in document) {
    const succession = openSuccession(document, roster);
    const after = admitSuccession(roster, succession);
    const party = createParty(succession.name, succession.role, succession.to);
    if (url !== undefined) throw refuseUrl(party.name);
    return { party, what: 'has a new key on the roster', roster: after === roster ? undefined : after };
  }
  const party = openJoinRequest(document, await readInvitations(project), clock.now());
  const what = `is on the roster as a ${party.role}`;
  const present = entryOf(roster, party.name);
  if (url !== undefined && party.role !== 'facilitator') throw refuseUrl(party.name);
  if (present === undefined) {
    if (url === undefined && party.role === 'facilitator')
      throw usageError(`${party.name} is a facilitator: say with --url where the other parties reach it`);
    return { party, what, roster: createRoster([...roster.parties, entryFor(party, url)]) };
  }
  if (present.key === party.publicKey) return { party, what, roster: undefined };
  throw new SealsumError('identity_invalid', `${party.name} is on the roster with another key`, { field: 'key' });
}

/** Asks the person at the terminal, who has the other side on the telephone. */
async function confirm({ name, role, fingerprint }: Party, what: string, { terminal }: ProjectServices): Promise<void> {
  if (!terminal.interactive)
    throw refuseFingerprint(
      'nobody is there to compare fingerprints; give the one that was read out with --fingerprint',
    );
  const question = `${name}, ${role}: ${spokenFingerprint(fingerprint)}\nDoes the other side read the same? Then ${name} ${what}. Type yes: `;
  if ((await terminal.ask(question)).trim().toLowerCase() !== 'yes')
    throw refuseFingerprint(`${name} was not admitted`);
}

function refuseFingerprint(message: string): SealsumError {
  return new SealsumError('identity_invalid', message, { field: '--fingerprint' });
}
