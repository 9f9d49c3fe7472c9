/** What tests of faults ask of a consortium while it works. */
import { until } from '../support/until.ts';
import { linearSample, type Sample } from './data.ts';
import { askFacilitator, type Consortium, fetchAs, patience, type RunningOwner } from './parties.ts';

/** Where the facilitator is, and in whose name it is asked. */
export type Stage = Pick<Consortium, 'cast' | 'facilitator'>;

export async function jobStatus(stage: Stage, job: string): Promise<string> {
  return (await askFacilitator<{ status: string }>(stage, `/jobs/${job}`)).status;
}

/** Resolves once an owner has contributed to a round, or to a later one, of its newest job. */
export async function contributed(owner: RunningOwner, round: number): Promise<void> {
  await until(
    `${owner.owner} has contributed to round ${round}`,
    () => (owner.dataOwner.jobs().at(-1)?.round ?? 0) >= round,
    patience,
  );
}

/** All events of a job at the facilitator, once it has ended. */
export async function jobEvents({ cast, facilitator }: Stage, job: string): Promise<Record<string, unknown>[]> {
  const send = fetchAs(cast.modelOwner);
  const response = await send(`${facilitator.url}/jobs/${job}/events`, { signal: AbortSignal.timeout(patience) });
  return [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
  );
}

export const sample: Sample = linearSample(60);

/** A model whose rounds wait for longer than any test takes, unless the clock is moved. */
export function modelWith(training: object, participation: object = {}): object {
  return {
    ...sample.document,
    training,
    encryption: { key_bits: 2048 },
    participation: { quorum: 2, deadline_seconds: 600, ...participation },
  };
}

export const exact = { solver: 'normal-equations' };
export const long = { solver: 'gradient', rounds: 5000 };
