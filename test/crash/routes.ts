/** A training in which everybody dies at one named place after the other, and what must be true of it all the same. */
import assert from 'node:assert/strict';
import { finishedAnswer, nobodyIsLost } from './checks.ts';
import type { Consortium } from './consortium.ts';
import { armAll, missed, type Route } from './places.ts';
import { expectedAnswer, gradientModel, ownerNames } from './samples.ts';

/** Trainings in which everybody should have died everywhere. */
const mostTrainings = 6;

/** @returns what happened, in a few words */
export async function followRoute(consortium: Consortium, route: Route): Promise<string> {
  const document = gradientModel();
  const expected = await expectedAnswer(document, ownerNames);
  armAll(consortium, route);
  for (const party of consortium.parties) party.start();
  const left = (): number => consortium.parties.reduce((sum, party) => sum + party.armed().length, 0);
  let trainings = 0;
  while (left() > 0 && trainings < mostTrainings) {
    trainings += 1;
    const id = await consortium.post(document);
    assert.equal(await finishedAnswer(consortium, id), expected, `training ${trainings}`);
    await nobodyIsLost(consortium, id, ownerNames);
  }
  assert.deepEqual(missed(consortium, route), [], 'places where nobody died');
  const deaths = consortium.parties.reduce((sum, party) => sum + party.diedAt().length, 0);
  return `${deaths} deaths at named places in ${trainings} trainings`;
}
