/** All parties of a simulation, the disks they live on, and what can happen to them. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelOwner } from '../../parties/model-owner/service.ts';
import type { Logger } from '../../src/http/log.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { type PartyId, partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../src/protocol/identity.ts';
import { createParties } from '../../src/protocol/parties.ts';
import type { FacilitatorStore } from '../../src/storage/facilitator-store.ts';
import type { ModelStore } from '../../src/storage/model-store.ts';
import type { Chance } from './chance.ts';
import { createKeyProofs } from './key-proofs.ts';
import { type Danger, type Life, startLife } from './life.ts';
import { type Surroundings, startDataOwner, startFacilitator, startModelOwner } from './members.ts';
import type { Network } from './network.ts';
import type { Timeline } from './timeline.ts';

export interface World extends AsyncDisposable {
  readonly names: readonly PartyId[];
  readonly dead: () => readonly PartyId[];
  /** How often anybody died. */
  readonly deaths: () => number;
  readonly danger: Danger;
  start(name: PartyId): Promise<void>;
  kill(name: PartyId): void;
  /** While the party lives. */
  readonly modelOwner: () => ModelOwner | undefined;
  readonly facilitatorStore: () => FacilitatorStore | undefined;
  readonly modelStore: () => ModelStore | undefined;
  /** Everybody's store of a role, for a last look; while the party lives. */
  readonly lifeOf: (name: PartyId) => Life | undefined;
}

export interface WorldOptions {
  readonly owners: number;
  readonly keyPair: KeyPair;
  readonly chance: Chance;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly log: Logger;
  readonly alter: Surroundings['alter'];
  /** Told of everything that happens to the parties. */
  readonly tell: (what: string) => void;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const { owners, keyPair, chance, timeline, network, log, tell } = options;
  // In memory where there is such a folder: nobody pulls the plug here, and a killed process leaves its files either way.
  const disk = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(disk, 'sealsum-simulation-'));
  const identities = new Map<PartyId, Identity>();
  const ownerNames = Array.from({ length: owners }, (_, index) => `owner-${index}`);
  const add = (name: string, role: Role): Identity => {
    const identity = createIdentity(partyIdSchema.parse(name), role, chance.bytes(32));
    identities.set(identity.name, identity);
    return identity;
  };
  const facilitator = add('facilitator', 'facilitator');
  const modelOwner = add('model-owner', 'model-owner');
  for (const name of ownerNames) add(name, 'data-owner');
  const parties = createParties([...identities.values()]);
  const surroundings: Surroundings = { network, parties, facilitator, log, alter: options.alter };

  const lives = new Map<PartyId, Life>();
  const danger: Danger = { probability: 0 };
  let running: { readonly modelOwner: ModelOwner; readonly store: ModelStore } | undefined;
  let facilitatorStore: FacilitatorStore | undefined;
  let deaths = 0;
  // One for the whole simulation: that a restarted owner verifies again is a matter of time, not of faults.
  const keyProofs = createKeyProofs(keyPair);

  async function start(name: PartyId): Promise<void> {
    const identity = identities.get(name);
    if (identity === undefined || lives.get(name)?.alive() === true) return;
    await lives.get(name)?.gone();
    tell(`${name} starts`);
    const life = await startLife({
      identity,
      timeline,
      network,
      chance: chance.apart(),
      danger,
      store: join(folder, `${name}.sqlite`),
      onDied: (place) => {
        deaths += 1;
        tell(`${name} dies at ${place}`);
      },
    });
    lives.set(name, life);
    try {
      if (identity.role === 'facilitator') facilitatorStore = await startFacilitator(surroundings, life);
      else if (identity.role === 'model-owner')
        running = await startModelOwner(surroundings, life, modelOwner, keyProofs.newKey);
      else {
        const index = ownerNames.indexOf(name);
        await startDataOwner(surroundings, life, identity, { index, owners }, keyProofs.checks);
      }
    } catch (error) {
      // It may die while it starts.
      if (life.alive()) throw error;
    }
  }

  const living = (name: PartyId): Life | undefined => {
    const life = lives.get(name);
    return life?.alive() === true ? life : undefined;
  };

  return {
    names: [...identities.keys()],
    dead: () => [...identities.keys()].filter((name) => living(name) === undefined),
    deaths: () => deaths,
    danger,
    start,
    kill: (name) => {
      if (living(name) === undefined) return;
      deaths += 1;
      tell(`${name} is killed`);
      lives.get(name)?.kill();
    },
    modelOwner: () => (living(modelOwner.name) === undefined ? undefined : running?.modelOwner),
    facilitatorStore: () => (living(facilitator.name) === undefined ? undefined : facilitatorStore),
    modelStore: () => (living(modelOwner.name) === undefined ? undefined : running?.store),
    lifeOf: living,
    [Symbol.asyncDispose]: async () => {
      for (const life of lives.values()) life.kill();
      for (const life of lives.values()) await life.gone();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
