/** What an owner adds to a round's sum, from its records: here where they are few, on a thread where they are many. */
import type { OwnVector } from '../encoding/contribution.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { aborted } from '../threads/aborted.ts';
import type { Spreading } from '../threads/spread.ts';
import { type ClippingReport, sampleRecords } from './clipped-sums.ts';
import type { ContributionOrder, OwnContribution } from './contribution-thread.ts';
import type { Records } from './features.ts';
import { closingSums } from './inference/closing-sums.ts';
import { type AnyTask, statisticsSums } from './statistics/task.ts';
import { ownSums, ownVector } from './task.ts';
import { matrixTriangleLength } from './visibility.ts';

export interface Contributing extends Spreading {
  /** Where the coins come from by which units take part and numbers are rounded; the operating system's generator by default, and on threads always. */
  readonly random?: RandomBytes;
  /** Told what clipping did, for the owner's own eyes. */
  readonly observe?: ((clipping: ClippingReport) => void) | undefined;
}

/** Numbers that are computed with in some ten milliseconds. */
const muchWork = 1_000_000;

/**
 * The sums over the records, or over those of them that take part in this round by chance.
 *
 * @param parameters `task.parameterCount` of them
 * @throws SealsumError as contribution() does; aborted when the signal fires
 */
export async function contribute(
  task: AnyTask,
  records: Records,
  parameters: Float64Array,
  { random = systemRandom, observe, pool, signal }: Contributing = {},
): Promise<OwnVector> {
  if (signal?.aborted === true) throw aborted(signal);
  const { clipping, model } = task;
  const products = task.encrypted === undefined ? task.statistics : matrixTriangleLength(task.width);
  const isMuch = records.count * products >= muchWork;
  if (pool?.usable() === true && random === systemRandom && isMuch) {
    const closing = task.solver === 'closing';
    const order: ContributionOrder = {
      model,
      sign: clipping?.sign,
      clip: clipping?.clip,
      closing,
      records,
      parameters,
    };
    const work = { beside: import.meta.url, file: './contribution-thread', name: 'contribute' };
    try {
      const { sums, report } = await pool.run<OwnContribution>(work, order, signal);
      if (report !== undefined) observe?.(report);
      return ownVector(task, sums);
    } catch (error) {
      // Without threads everything else waits for it.
      if (pool.usable()) throw error;
    }
  }
  if (task.solver === 'statistics') return statisticsSums(task, records);
  if (task.solver === 'closing') return ownVector(task, closingSums(task, records, parameters));
  const chosen = clipping === undefined ? records : sampleRecords(clipping, records, random);
  return ownVector(task, ownSums(task, chosen, parameters, { random, observe }));
}
