/**
 * How contributions that have arrived become part of their round: in the job's turn all that are there at the time are multiplied
 * into the product and accepted, in one commit. Each of them costs its products, and all together one wait for the disk.
 */
import { setImmediate as others } from 'node:timers/promises';
import type { JobId } from '../../src/protocol/identifiers.ts';
import {
  type AcceptedContribution,
  acceptContribution,
  hasWithdrawn,
  type RoundState,
  settleRound,
} from '../../src/protocol/round.ts';
import type { Blocks } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { Keys } from './keys.ts';
import { createProducts, productPlace } from './products.ts';
import type { Rounds } from './rounds.ts';
import type { Upload } from './uploads.ts';

export interface Acceptance {
  /**
   * The state of a round in which a contribution is accepted; the same state when it was accepted before.
   *
   * @throws SealsumError owner_not_on_roster, contribution_conflict, round_closed, round_abandoned
   */
  foresee(state: RoundState, accepted: AcceptedContribution): RoundState;
  /**
   * Accepts a contribution durably, with whatever others there are.
   *
   * @returns whether it was accepted now, and not before
   * @throws SealsumError as foresee(); job_unknown, job_ended, round_unknown
   */
  accept(accepted: AcceptedContribution, upload: Upload, blocks: Blocks): Promise<boolean>;
}

/** A contribution that has arrived, and whoever waits to hear what becomes of it. */
interface Arrived {
  readonly accepted: AcceptedContribution;
  readonly upload: Upload;
  readonly resolve: (created: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Contributions that are accepted in one commit, at most: whoever came first need not wait for all that come later. */
const acceptedAtOnce = 32;

export function createAcceptance(context: FacilitatorContext, keys: Keys, rounds: Rounds): Acceptance {
  const { clock, checkpoint, metrics, books, turns } = context;
  const products = createProducts(context);
  /** By job and round. */
  const waiting = new Map<string, Arrived[]>();
  let count = 0;

  function foresee(state: RoundState, accepted: AcceptedContribution): RoundState {
    // Past its deadline a round is what it will be, even while its end waits for its turn.
    const present = settleRound(state, clock.now());
    const next = acceptContribution(present, accepted);
    return next === present ? state : next;
  }

  function accept(accepted: AcceptedContribution, upload: Upload, blocks: Blocks): Promise<boolean> {
    const { job, round } = upload.place;
    const name = `${job} ${round}`;
    return new Promise((resolve, reject) => {
      const arrived = waiting.get(name) ?? [];
      arrived.push({ accepted, upload, resolve, reject });
      metrics.arrived(++count);
      if (arrived.length > 1) return;
      waiting.set(name, arrived);
      void books.inTurn(job, () => takeWaiting(job, round, arrived, blocks));
    });
  }

  /** In the job's turn. What goes wrong is for those who wait. */
  async function takeWaiting(job: JobId, round: number, arrived: Arrived[], blocks: Blocks): Promise<void> {
    // Those whose bytes are here already come along.
    await others();
    await turns.take();
    const batch = arrived.splice(0, acceptedAtOnce);
    if (arrived.length === 0) waiting.delete(`${job} ${round}`);
    else void books.inTurn(job, () => takeWaiting(job, round, arrived, blocks));
    try {
      await take(job, round, batch, blocks);
    } catch (error) {
      for (const each of batch) each.reject(error);
    }
    count -= batch.length;
    metrics.arrived(count);
  }

  async function take(job: JobId, round: number, batch: readonly Arrived[], blocks: Blocks): Promise<void> {
    checkpoint('facilitator.contribution.turn');
    const found = await books.existingRound(job, round);
    let { state } = found;
    const fresh: Arrived[] = [];
    const repeated: Arrived[] = [];
    for (const each of batch) {
      try {
        const next = foresee(state, each.accepted);
        (next === state ? repeated : fresh).push(each);
        state = next;
      } catch (error) {
        each.reject(error);
      }
    }
    if (fresh.length > 0) {
      const record = await books.openJob(job);
      const before = found.state.contributions.length;
      const uploads = fresh.map(({ upload }) => upload);
      const last = await products.fold({ job, round }, before, uploads, blocks, keys.publicKeyOf(record));
      const outcome = { round: { ...found, state } };
      checkpoint('facilitator.contribution.before-commit');
      await books.commit(
        job,
        {
          ...(fresh.some(({ accepted }) => hasWithdrawn(found.state, accepted.owner)) ? outcome : {}),
          contributions: { job, round, accepted: fresh.map(({ accepted }) => accepted) },
          blocks: [last],
          forget: [
            ...(before === 0 ? [] : [productPlace({ job, round }, before)]),
            ...uploads.filter(({ kept }) => kept > 0).map(({ place }) => place),
          ],
          events: fresh.map(({ accepted: { owner } }) => books.event(job, 'round.contribution', { round, owner })),
          audit: fresh.map(({ accepted: { owner, digest, bytes } }) => {
            return { type: 'contribution.accepted', job, round, owner, details: { digest, bytes } };
          }),
        },
        outcome,
      );
      for (const upload of uploads) upload.forgotten();
      checkpoint('facilitator.contribution.after-commit');
    }
    const record = await books.findJob(job);
    if (record?.status === 'open') rounds.watch(state);
    for (const { resolve } of fresh) resolve(true);
    // Perhaps of what has become durable just now.
    for (const { resolve } of repeated) resolve(false);
  }

  return { foresee, accept };
}
