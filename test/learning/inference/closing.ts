/** A whole training with its closing round in one process without encryption. */
import type { Records } from '../../../src/learning/features.ts';
import { closingStatistics, closingSums } from '../../../src/learning/inference/closing-sums.ts';
import { closingTaskOf } from '../../../src/learning/inference/closing-task.ts';
import { contribution, ownVector, statisticsOf } from '../../../src/learning/task.ts';
import { createTrainer, restoreTrainer, type Trainer } from '../../../src/learning/trainer.ts';
import { addUp, type Setting } from '../in-process.ts';

/** @param interrupted whether the trainer is made anew from its state before every round */
export function trainToTheClose(setting: Setting, owners: readonly Records[], interrupted = false): Trainer {
  const { model, map, task } = setting;
  const closing = closingTaskOf(model, map);
  let trainer = createTrainer(model, map, task);
  while (!trainer.finished) {
    if (interrupted) {
      const state = JSON.parse(JSON.stringify(trainer.state())) as ReturnType<Trainer['state']>;
      trainer = restoreTrainer(model, map, task, state);
    }
    const { parameters } = trainer;
    if (trainer.closing === true && closing !== undefined) {
      const sums = owners.map((records) => {
        const { weight, values } = ownVector(closing, closingSums(closing, records, parameters));
        return { weight, values: [...values.slice(0, values.length)] };
      });
      trainer.absorb(closingStatistics(closing, addUp(sums)));
    } else {
      const sum = addUp(owners.map((records) => contribution(task, records, parameters)));
      trainer.absorb(statisticsOf(task, sum, owners.length));
    }
  }
  return trainer;
}
