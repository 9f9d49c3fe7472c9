/** The named places where parties die, in orders in which one training leads from each to the next. */

import { facilitatorCheckpoints } from '../../parties/facilitator/checkpoints.ts';
import { modelOwnerCheckpoints } from '../../parties/model-owner/checkpoints.ts';
import { dataOwnerCheckpoints } from '../../src/contributing/checkpoints.ts';
import type { Role } from '../../src/protocol/identity.ts';
import { storeCheckpoints } from '../../src/storage/database.ts';
import type { Chance } from './chance.ts';
import type { Consortium } from './consortium.ts';
import type { OwnerName } from './samples.ts';
import type { Supervised } from './supervised.ts';

/** All of them, by role. */
export const allPlaces: Readonly<Record<Role, readonly string[]>> = {
  facilitator: [...facilitatorCheckpoints, ...storeCheckpoints],
  'model-owner': [...modelOwnerCheckpoints, ...storeCheckpoints],
  'data-owner': [...dataOwnerCheckpoints, ...storeCheckpoints],
};

/** Those that a training in which nothing else goes wrong does not come by: where they are reached is in misfortunes.test.ts. */
export const placesOfMisfortune: Readonly<Record<Role, readonly string[]>> = {
  facilitator: [
    'facilitator.job.idle',
    'facilitator.round.deadline',
    'facilitator.round.before-abandonment',
    'facilitator.round.after-abandonment',
    'facilitator.contribution.block-kept',
    'facilitator.contribution.block-folded',
    'facilitator.contribution.upload-forgotten',
    'facilitator.closing.noise-kept',
    'facilitator.closing.block-kept',
  ],
  'model-owner': ['model-owner.removal.stopped', 'model-owner.removal.committed'],
  'data-owner': [
    'data-owner.question-kept',
    'data-owner.approval-kept',
    'data-owner.refusal-kept',
    'data-owner.contribution-forgotten',
    'data-owner.withdrawal-kept',
  ],
};

/**
 * Places that are left to SLOW=1, since a death there leaves to everybody's stores, and to what others were told, what one at a
 * neighbour leaves: nothing was kept or sent since the place before, or the next one follows at once. Somebody dies all the same
 * before, between and after what is kept and sent, at the start, and where changes of a store are cut off. What is named nowhere
 * here, a new place too, is died at in every run.
 */
const besideOthers: ReadonlySet<string> = new Set([
  'facilitator.job.before-commit',
  'facilitator.answer.before-commit',
  'facilitator.round.before-commit',
  'facilitator.contribution.signature-verified',
  'facilitator.contribution.turn',
  'facilitator.contribution.before-commit',
  'facilitator.contribution.before-answer',
  'facilitator.closing.begun',
  'facilitator.job.before-end',
  'model-owner.start.checked',
  'model-owner.resume.begun',
  'model-owner.keys.generated',
  'model-owner.proposal.signed',
  'model-owner.proposal.answered',
  'model-owner.owners.gathered',
  'model-owner.round.signed',
  'model-owner.round.ended',
  'model-owner.aggregate.fetched',
  'model-owner.manifest.verified',
  'model-owner.sum.decrypted',
  'model-owner.end.decided',
  'data-owner.connected',
  'data-owner.job-read',
  'data-owner.round-read',
  'data-owner.receipt-verified',
  'data-owner.job-verified',
  'data-owner.round-checked',
  'data-owner.job-over',
  'data-owner.key-verified',
]);

export type Route = Readonly<Record<'facilitator' | 'modelOwner' | OwnerName, readonly string[]>>;

export const everybody = ['facilitator', 'modelOwner', 'north', 'east', 'south'] as const;

/** Every place of an ordinary training, of every party; changes of a store are cut off at some of the many. */
export function ordinaryPlaces(chance: Chance): Route {
  const some = (place: string, most: number): string => `${place}:${1 + chance.below(most)}`;
  const stores = storesOf(chance);
  return {
    facilitator: [
      'facilitator.start.uploads-forgotten',
      'facilitator.retention.done',
      'facilitator.job.before-commit',
      'facilitator.job.after-commit',
      'facilitator.answer.before-commit',
      some('facilitator.answer.after-commit', 2),
      'facilitator.round.before-commit',
      'facilitator.round.after-commit',
      'facilitator.start.job-resumed',
      some('facilitator.contribution.signature-verified', 3),
      some('facilitator.contribution.complete', 3),
      some('facilitator.contribution.turn', 3),
      some('facilitator.contribution.before-commit', 3),
      some('facilitator.contribution.after-commit', 3),
      some('facilitator.contribution.before-answer', 3),
      'facilitator.closing.begun',
      'facilitator.closing.manifest-signed',
      'facilitator.closing.after-commit',
      ...stores.facilitator,
      'facilitator.job.before-end',
      'facilitator.job.after-end',
    ],
    modelOwner: [
      'model-owner.start.checked',
      'model-owner.start.committed',
      'model-owner.resume.begun',
      'model-owner.resume.committed',
      'model-owner.keys.generated',
      'model-owner.keys.proven',
      'model-owner.proposal.signed',
      'model-owner.proposal.committed',
      'model-owner.proposal.sent',
      'model-owner.proposal.answered',
      'model-owner.owners.noted',
      'model-owner.owners.gathered',
      'model-owner.round.signed',
      'model-owner.round.committed',
      'model-owner.round.sent',
      'model-owner.resume.adopted',
      'model-owner.round.ended',
      'model-owner.aggregate.fetched',
      'model-owner.manifest.verified',
      'model-owner.opening.committed',
      'model-owner.sum.decrypted',
      'model-owner.sum.absorbed',
      'model-owner.sum.committed',
      ...stores.modelOwner,
      'model-owner.end.decided',
      'model-owner.end.committed',
      'model-owner.end.told',
      'model-owner.end.forgotten',
    ],
    north: [
      'data-owner.connected',
      'data-owner.job-read',
      'data-owner.acceptance-kept',
      'data-owner.participation-restored',
      'data-owner.round-read',
      'data-owner.contribution-sealed',
      some('data-owner.receipt-verified', 2),
      ...stores.north,
    ],
    east: [
      'data-owner.caught-up',
      'data-owner.job-verified',
      'data-owner.answer-given',
      'data-owner.round-checked',
      'data-owner.contribution-kept',
      some('data-owner.receipt-kept', 2),
      ...stores.east,
      'data-owner.job-over',
      'data-owner.end-kept',
    ],
    south: [
      'data-owner.key-verified',
      'data-owner.records-read',
      'data-owner.round-charged',
      some('data-owner.contribution-sent', 2),
      ...stores.south,
      'data-owner.old-jobs-forgotten',
    ],
  };
}

/** Where changes of the stores are cut off: before they begin, before they are committed, and right after. */
export function storesOf(chance: Chance): Route {
  const some = (place: string, most: number): string => `${place}:${1 + chance.below(most)}`;
  const [begin = '', written = '', committed = ''] = storeCheckpoints;
  const all = (most: number): string[] => storeCheckpoints.map((place) => some(place, most));
  return {
    facilitator: all(12),
    modelOwner: all(5),
    north: [some(begin, 4)],
    east: [some(written, 4)],
    south: [some(committed, 4)],
  };
}

/** The part of a route that some take: with SLOW=1 all of it, or those places only whose names contain what SEALSUM_CRASH says. */
export function partOf(route: Route, who: readonly (keyof Route)[]): Route {
  const wanted = process.env.SEALSUM_CRASH ?? '';
  const all = process.env.SLOW !== undefined || wanted !== '';
  const isTaken = (place: string): boolean => (all ? place.includes(wanted) : !besideOthers.has(withoutCount(place)));
  const part = (name: keyof Route): readonly string[] => (who.includes(name) ? route[name].filter(isTaken) : []);
  return {
    facilitator: part('facilitator'),
    modelOwner: part('modelOwner'),
    north: part('north'),
    east: part('east'),
    south: part('south'),
  };
}

/** Tells everybody where to die; they learn of it at their next start. */
export function armAll(consortium: Consortium, route: Route): void {
  for (const [party, places] of routed(consortium, route)) party.arm(places);
}

/** The places, without counts, where parties were to die and have not. */
export function missed(consortium: Consortium, route: Route): readonly string[] {
  return routed(consortium, route).flatMap(([party, places]) => {
    const died = party.diedAt();
    return places.map(withoutCount).filter((place, index) => died[index] !== place);
  });
}

function routed({ facilitator, modelOwner, owners }: Consortium, route: Route): [Supervised, readonly string[]][] {
  return [
    [facilitator, route.facilitator],
    [modelOwner, route.modelOwner],
    [owners.north, route.north],
    [owners.east, route.east],
    [owners.south, route.south],
  ];
}

export function withoutCount(place: string): string {
  return place.replace(/:[0-9]+$/, '');
}
