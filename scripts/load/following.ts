/** Owners and the model owner listen to a facilitator. */
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Cohort } from './cohort.ts';
import { each } from './each.ts';
import type { LoadJob } from './job.ts';

/** Resolves once all owners listen; they go on until `listening` aborts. */
export async function follow(
  { owners }: Cohort,
  clients: readonly FacilitatorClient[],
  modelOwner: FacilitatorClient,
  signal: AbortSignal,
  listening: AbortSignal,
): Promise<void> {
  await each(64, clients.entries(), async ([index, client]) => {
    const owner = owners[index];
    if (owner === undefined) return;
    await new Promise<void>((resolve, reject) => {
      const onConnected = (): Promise<void> => {
        resolve();
        return Promise.resolve();
      };
      const listen = async (): Promise<void> => {
        for await (const event of client.followAll(owner.name, listening, { onConnected }))
          if (event.type === 'round.abandoned') throw new Error(event.reason);
      };
      listen().then(resolve, reject);
    });
  });
  const connected = new Set(await modelOwner.owners(signal));
  const missing = owners.find(({ name }) => !connected.has(name));
  if (missing !== undefined) throw new Error(`${missing.name} listens, and the facilitator does not list it`);
}

/** When the model owner hears that the round is closed, as performance.now() tells. */
export function closed(modelOwner: FacilitatorClient, { signed }: LoadJob, signal: AbortSignal): Promise<number> {
  const listen = async (): Promise<number> => {
    for await (const event of modelOwner.followJob(signed.descriptor.job, 0, signal)) {
      if (event.type === 'round.closed') return performance.now();
      if (event.type === 'round.abandoned') throw new Error(event.reason);
    }
    throw new Error('the events of the job ended before its round');
  };
  const heard = listen();
  // It is waited for once the contributions are sent.
  heard.catch(() => undefined);
  return heard;
}
