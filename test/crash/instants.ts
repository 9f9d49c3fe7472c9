/** Trainings in which whoever it hits is killed at any instant, be it in the middle of a start. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';
import { finishedAnswer, nobodyIsLost } from './checks.ts';
import type { Consortium } from './consortium.ts';
import { expectedAnswer, gradientModel, ownerNames } from './samples.ts';

/** The longest time between two kills, in milliseconds. */
const longestQuiet = 2000;

/**
 * One training that nobody disturbs, and then as many as it takes to kill somebody so many times.
 *
 * @returns what happened, in a few words
 */
export async function killAtRandom(consortium: Consortium, chance: Chance, kills: number): Promise<string> {
  const document = gradientModel();
  const expected = await expectedAnswer(document, ownerNames);
  consortium.start();
  const undisturbed = await consortium.post(document);
  assert.equal(await finishedAnswer(consortium, undisturbed), expected, 'the undisturbed training');
  await nobodyIsLost(consortium, undisturbed, ownerNames);

  let trainings = 0;
  const when = new Map<string, number>();
  for (let left = kills; left > 0; ) {
    trainings += 1;
    const id = await consortium.post(document);
    for (let stage = 'preparing'; left > 0 && stage !== 'finished'; ) {
      await pause(chance.below(longestQuiet));
      const victim = chance.pick(consortium.parties);
      if (victim.isAlive()) {
        await victim.kill();
        when.set(stage, (when.get(stage) ?? 0) + 1);
        left -= 1;
      }
      // One that cannot be asked has made no progress.
      stage = (await consortium.model(id))?.status ?? stage;
    }
    assert.equal(await finishedAnswer(consortium, id), expected, `with ${left} kills left`);
    await nobodyIsLost(consortium, id, ownerNames);
  }
  const stages = [...when].map(([stage, count]) => `${count} while ${stage.replaceAll('_', ' ')}`);
  return `${kills} kills in ${trainings} trainings: ${stages.join(', ')}`;
}
