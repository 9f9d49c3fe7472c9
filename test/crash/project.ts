/** What sealsum init makes, once for all consortiums of a test: identities and configurations, as nobody changes them. */
import { join } from 'node:path';
import { createLocalProject, localNames, rosterName } from '../../src/config/project.ts';
import { partiesOf, readRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { type PartyId, partyIdSchema } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import { ownerNames } from './samples.ts';

export interface Project {
  readonly parties: Parties;
  /** With what a party signs, so that a test can ask in its name. */
  identityOf(party: PartyId): Identity;
  /** The path of its config.toml. */
  configOf(party: PartyId): string;
}

export const facilitatorName: PartyId = localNames.facilitator;
export const modelOwnerName: PartyId = localNames.modelOwner;

/** @param folder in which it is made */
export async function createProject(folder: string): Promise<Project> {
  const owners = ownerNames.map((name) => partyIdSchema.parse(name));
  const made = await createLocalProject({ folder, owners, passphrase: 'random' }, systemRandom);
  const members = new Map(made.parties.map((party) => [party.identity.name, party]));
  const member = (name: PartyId) => {
    const found = members.get(name);
    if (found === undefined) throw new Error(`the project has no ${name}`);
    return found;
  };
  return {
    parties: partiesOf(await readRoster(join(folder, rosterName))),
    identityOf: (name) => member(name).identity,
    configOf: (name) => member(name).config,
  };
}
