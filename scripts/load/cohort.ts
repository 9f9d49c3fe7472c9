/**
 * Who takes part in a measurement: a facilitator with files of its own, as `sealsum init` makes them, and a model owner and data
 * owners that are in its roster file and live in this process. A thousand identity files would cost a thousand times what makes
 * a passphrase hard to guess, and nobody would read them.
 */
import { join } from 'node:path';
import { createFacilitatorProject, entryFor, localNames, rosterName } from '../../src/config/project.ts';
import { createRoster, partiesOf, writeRoster } from '../../src/config/roster-file.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';

/** A data owner, which can sign. */
export interface Owner {
  readonly name: OwnerId;
  readonly identity: Identity;
}

export interface Cohort {
  readonly facilitator: Identity;
  /** The path of its config.toml. */
  readonly config: string;
  readonly modelOwner: Identity;
  readonly owners: readonly Owner[];
  readonly parties: Parties;
}

/** @param folder an empty one, where the facilitator's files come */
export async function createCohort(folder: string, owners: number): Promise<Cohort> {
  const made = await createFacilitatorProject(
    folder,
    { name: localNames.facilitator, port: 0, passphrase: 'random', url: 'http://127.0.0.1:8080' },
    systemRandom,
  );
  const modelOwner = createIdentity(localNames.modelOwner, 'model-owner', systemRandom(32));
  const all = Array.from({ length: owners }, (_, index): Owner => {
    const name = ownerIdSchema.parse(`owner-${index + 1}`);
    return { name, identity: createIdentity(name, 'data-owner', systemRandom(32)) };
  });
  const others = [modelOwner, ...all.map(({ identity }) => identity)];
  const roster = createRoster([...made.roster.parties, ...others.map((identity) => entryFor(identity))]);
  await writeRoster(join(folder, rosterName), roster, { replace: true });
  const [facilitator] = made.parties;
  if (facilitator === undefined) throw new Error('a project has a facilitator');
  return {
    facilitator: facilitator.identity,
    config: facilitator.config,
    modelOwner,
    owners: all,
    parties: partiesOf(roster),
  };
}
