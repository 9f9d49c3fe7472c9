/**
 * One training from a model to its parameters: propose the job, wait for the owners, then round after round send parameters,
 * fetch the aggregate, open the sum, update.
 */
import { createHash } from 'node:crypto';
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import type { Model } from '../../src/learning/model.ts';
import { createTrainer, type Trainer } from '../../src/learning/trainer.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import type { generateKeyPair, KeyPair } from '../../src/paillier/key-generation.ts';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { type Opener, open } from '../../src/pipeline.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor, JobOutcome, OwnerStatus, OwnerView, RoundView } from '../../src/protocol/messages.ts';
import { noiseToWire, type Terms } from '../../src/protocol/terms.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import type { RoundReport } from '../../src/storage/model-store.ts';
import { type JobWatch, watchJob } from './job-watch.ts';

export interface TrainingOptions {
  readonly job: JobId;
  readonly model: Model;
  readonly terms: Terms;
  readonly roster: readonly OwnerId[];
  readonly client: FacilitatorClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Where the noise comes from. */
  readonly random: RandomBytes;
  /** Where the job's key pair comes from. */
  readonly newKeyPair: typeof generateKeyPair;
  /** Told of the owners' answers: all owners, in the order of the roster. */
  readonly onWaiting: (owners: readonly OwnerView[]) => void;
  /** Told before a round's sum is opened: from here on its privacy is spent, whatever becomes of the sum. */
  readonly onOpening: (round: number) => void;
  readonly onRound: (report: RoundReport, trainer: Trainer) => void;
}

/**
 * Trains.
 *
 * @returns the trainer, finished
 * @throws SealsumError owners_too_few (naming why each refused), round_abandoned, and whatever made a sum unusable
 */
export async function train(options: TrainingOptions): Promise<Trainer> {
  const { client, model, terms } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const keyPair = await options.newKeyPair({ bits: model.encryption.key_bits, signal });
  const { quorum, deadline_seconds } = model.participation;
  let outcome: JobOutcome = 'failed';
  try {
    const job = await client.createJob(describeJob(options, keyPair), signal);
    options.onWaiting(job.owners);
    const watch = watchJob({ client, job, clock: options.clock, signal, onOwners: options.onWaiting });
    await watch.until(
      deadline_seconds * 1000,
      (owners) => count(owners, 'invited') === 0 || count(owners, 'invited', 'ready') < quorum,
    );
    const trainer = createTrainer(model, terms.map, terms.task);
    const opener: Opener = {
      task: terms.task,
      plan: terms.plan,
      decryptor: createDecryptor(keyPair.privateKey),
      ...(terms.calibration === undefined
        ? {}
        : { noise: { variance: terms.calibration.variance, random: options.random } }),
    };
    for (let round = 1; !trainer.finished; round++) await runRound(options, watch, opener, trainer, round, signal);
    outcome = 'finished';
    return trainer;
  } finally {
    if (outcome === 'failed' && options.signal.aborted) outcome = 'cancelled';
    stop.abort();
    // The owners must hear of the end even when this training was stopped.
    await client.endJob(options.job, outcome, AbortSignal.timeout(10_000)).catch((error: unknown) => {
      if (error instanceof SealsumError && error.code === 'job_unknown') return;
      options.log.warn({ err: error, job: options.job }, 'the job could not be ended at the facilitator');
    });
  }
}

function describeJob({ job, model, terms, roster }: TrainingOptions, { publicKey }: KeyPair): JobDescriptor {
  // Owners have no use for the rows that the model owner wants predicted.
  const forOwners: Partial<Model> = { ...model };
  delete (forOwners as { evaluation?: Model['evaluation'] }).evaluation;
  return {
    job,
    model: forOwners,
    public_key: publicKeyToJwk(publicKey),
    plan: planToWire(terms.plan),
    roster,
    quorum: model.participation.quorum,
    deadline_seconds: model.participation.deadline_seconds,
    noise: noiseToWire(terms),
  };
}

/** The owners who are ready, once they are enough; waits for those who missed a deadline, but for no longer than a round would. */
async function gatherQuorum(watch: JobWatch, { quorum, deadline_seconds }: Model['participation']): Promise<OwnerId[]> {
  await watch.until(
    deadline_seconds * 1000,
    (owners) => count(owners, 'ready') >= quorum || count(owners, 'ready', 'absent') < quorum,
  );
  const ready = watch.ready();
  if (ready.length >= quorum) return ready;
  const others = watch
    .owners()
    .filter((view) => view.status !== 'ready')
    .map(({ owner, status, reason }) => {
      const said = status === 'invited' ? 'has not answered' : status === 'absent' ? 'missed a deadline' : status;
      return `${owner} ${said}${reason === undefined ? '' : `: ${reason}`}`;
    });
  throw new SealsumError(
    'owners_too_few',
    `${ready.length} of ${watch.owners().length} data owners are ready and the quorum is ${quorum} (${others.join('; ')})`,
    { field: 'participation.quorum' },
  );
}

function count(owners: readonly OwnerView[], ...statuses: readonly OwnerStatus[]): number {
  return owners.filter((view) => statuses.includes(view.status)).length;
}

async function runRound(
  options: TrainingOptions,
  watch: JobWatch,
  opener: Opener,
  trainer: Trainer,
  round: number,
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, job, model } = options;
  const roster = await gatherQuorum(watch, model.participation);
  const started = clock.monotonic();
  await client.openRound(job, round, { roster, parameters: [...trainer.parameters] }, signal);
  await watch.roundClosed(round);
  const [view, aggregate] = await Promise.all([client.round(job, round, signal), client.aggregate(job, round, signal)]);
  const contributors = checkManifest(view, roster, model.participation.quorum, aggregate);
  options.onOpening(round);
  trainer.absorb(open(opener, aggregate, contributors));
  const report: RoundReport = {
    round,
    contributors,
    seconds: (clock.monotonic() - started) / 1000,
    bytes: aggregate.length,
    ...(trainer.metrics === undefined ? {} : { metrics: trainer.metrics }),
  };
  options.onRound(report, trainer);
}

/** The number of contributors, once the manifest is what it must be. @throws SealsumError count_mismatch */
function checkManifest(view: RoundView, roster: readonly OwnerId[], quorum: number, aggregate: Uint8Array): number {
  const { manifest, round } = view;
  const owners = new Set(manifest?.contributions.map((each) => each.owner));
  const digest = createHash('sha256').update(aggregate).digest('hex');
  const sound =
    manifest?.count === owners.size &&
    manifest.contributions.length === owners.size &&
    owners.size >= quorum &&
    [...owners].every((owner) => roster.includes(owner));
  if (!sound || manifest.aggregate_digest !== digest)
    throw new SealsumError('count_mismatch', `the manifest of round ${round} does not account for its aggregate`, {
      field: 'manifest',
    });
  return owners.size;
}
