/**
 * A project as a folder: roster.toml, and beside it one folder for each party that lives on this machine, with config.toml,
 * identity.json and, where no person types it, a passphrase.
 */
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import type { Identity, Party } from '../protocol/identity.ts';
import { configText, type NewConfig } from './config-template.ts';
import { exists, reasonOf, writePrivateFile, writePublicFile } from './files.ts';
import { newSecrets, writeSecrets } from './identity-file.ts';
import { defaultPorts } from './party-config.ts';
import { randomPassphrase } from './passphrase.ts';
import { createRoster, type Roster, type RosterEntry, writeRoster } from './roster-file.ts';

/** How the identity of a new party is sealed: a random passphrase in a file beside it, or one that is known. */
export type NewPassphrase = 'random' | { readonly passphrase: string; readonly file?: string | undefined };

export interface NewParty extends Omit<NewConfig, 'passphraseFile'> {
  readonly passphrase: NewPassphrase;
}

/** A party that now has a folder. */
export interface MadeParty {
  readonly identity: Identity;
  /** The path of its config.toml. */
  readonly config: string;
}

export interface LocalProject {
  readonly folder: string;
  readonly owners: readonly PartyId[];
  /** Where the owners and the model owner find the facilitator. */
  readonly facilitatorUrl?: string | undefined;
  /** The facilitator's, the model owner's, and the first owner's, from where the others count on; 0 for any free one. */
  readonly ports?:
    | { readonly facilitator: number; readonly modelOwner: number; readonly firstOwner: number }
    | undefined;
  readonly passphrase: NewPassphrase;
}

export interface MadeProject {
  readonly roster: Roster;
  readonly parties: readonly MadeParty[];
}

export const rosterName = 'roster.toml';
const configName = 'config.toml';
const identityName = 'identity.json';
const passphraseName = 'passphrase';

/** The names that a project on one machine gives to the two that are not data owners. */
export const localNames: { readonly facilitator: PartyId; readonly modelOwner: PartyId } = {
  facilitator: partyIdSchema.parse('facilitator'),
  modelOwner: partyIdSchema.parse('model-owner'),
};

/** Everything that one machine needs to try it out. @throws SealsumError config_invalid, identity_invalid */
export async function createLocalProject(project: LocalProject, random: RandomBytes): Promise<MadeProject> {
  const { folder, owners, passphrase } = project;
  const ports = project.ports ?? {
    facilitator: defaultPorts.facilitator,
    modelOwner: defaultPorts['model-owner'],
    firstOwner: defaultPorts['data-owner'],
  };
  const url = project.facilitatorUrl ?? `http://127.0.0.1:${ports.facilitator}`;
  const parties: NewParty[] = [
    { name: localNames.facilitator, role: 'facilitator', port: ports.facilitator, passphrase },
    { name: localNames.modelOwner, role: 'model-owner', port: ports.modelOwner, passphrase },
    ...owners.map((name, index): NewParty => {
      const port = ports.firstOwner === 0 ? 0 : ports.firstOwner + index;
      return { name, role: 'data-owner', port, passphrase };
    }),
  ];
  requireOneEach(parties);
  await requireAbsent([join(folder, rosterName), ...parties.flatMap(({ name }) => partyFiles(folder, name))]);
  const made = await eachAtMost(availableParallelism(), parties, (party) => createPartyFolder(folder, party, random));
  const roster = createRoster(
    made.map(({ identity }) => entryFor(identity, identity.role === 'facilitator' ? url : undefined)),
  );
  await writeRoster(join(folder, rosterName), roster, { replace: false });
  return { roster, parties: made };
}

/** The facilitator of a project whose other parties are on other machines, and come by invitation. */
export async function createFacilitatorProject(
  folder: string,
  { url, ...party }: Omit<NewParty, 'role'> & { readonly url: string },
  random: RandomBytes,
): Promise<MadeProject> {
  await requireAbsent([join(folder, rosterName), ...partyFiles(folder, party.name)]);
  const made = await createPartyFolder(folder, { ...party, role: 'facilitator' }, random);
  const roster = createRoster([entryFor(made.identity, url)]);
  await writeRoster(join(folder, rosterName), roster, { replace: false });
  return { roster, parties: [made] };
}

/** The folder of a new party with a fresh identity. @throws SealsumError config_invalid when there is one already */
export async function createPartyFolder(
  folder: string,
  { passphrase, ...party }: NewParty,
  random: RandomBytes,
): Promise<MadeParty> {
  const { name, role } = party;
  await requireAbsent(partyFiles(folder, name));
  const own = join(folder, name);
  await makeFolder(own);
  const config = join(own, configName);
  const secrets = newSecrets(name, role, random);
  const known = passphrase === 'random' ? randomPassphrase(random) : passphrase.passphrase;
  const passphraseFile = passphrase === 'random' ? passphraseName : passphrase.file;
  if (passphrase === 'random') await writePrivateFile(join(own, passphraseName), `${known}\n`, { replace: false });
  await writeSecrets(join(own, identityName), secrets, known, random, { replace: false });
  await writePublicFile(config, configText({ ...party, passphraseFile }), { replace: false });
  return { identity: secrets.identity, config };
}

/** What a roster says of a party with this identity. */
export function entryFor({ name, role, publicKey }: Party, url?: string): RosterEntry {
  return { name, role, key: publicKey, previous: [], ...(url === undefined ? {} : { url }) };
}

function partyFiles(folder: string, name: PartyId): string[] {
  return [configName, identityName, passphraseName].map((file) => join(folder, name, file));
}

async function requireAbsent(paths: readonly string[]): Promise<void> {
  for (const path of paths)
    if (await exists(path))
      throw new SealsumError('config_invalid', `${path} is there already and is not overwritten; take another folder`, {
        field: 'folder',
      });
}

function requireOneEach(parties: readonly NewParty[]): void {
  const names = parties.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new SealsumError('identity_invalid', `${twice} is named twice; every party has a name of its own`, {
      field: 'name',
    });
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new SealsumError('config_invalid', `the folder ${path} cannot be made: ${reasonOf(cause)}`, {
      field: 'folder',
      cause,
    });
  });
}

/** Does something with each item, in order of their beginning, with so many at a time at most. */
async function eachAtMost<T, R>(limit: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += limit)
    results.push(...(await Promise.all(items.slice(start, start + limit).map(work))));
  return results;
}
