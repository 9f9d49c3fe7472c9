/**
 * One training from a model to its parameters: propose the job, wait for the owners, then round after round send parameters,
 * fetch the aggregate, verify it, open the sum, update. It begins where the journal says that it was left, so that it may be
 * broken off at any point.
 */

import { type JobWatch, watchJob } from '../../src/collecting/job-watch.ts';
import { createOwnerRegister } from '../../src/collecting/owner-register.ts';
import { firstAnswers } from '../../src/collecting/quorum.ts';
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import { type AnyModel, parseDocument } from '../../src/learning/model-document.ts';
import { createCollector } from '../../src/learning/statistics/collector.ts';
import { createTrainer, restoreTrainer, type Trainer, type TrainerState } from '../../src/learning/trainer.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { jobIdSchema } from '../../src/protocol/identifiers.ts';
import type { JobView } from '../../src/protocol/job-messages.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import { objectDigest } from '../../src/protocol/signed.ts';
import { type AnyTerms, isOfStatistics, noiseDeviation, noiseDeviationOf, termsOf } from '../../src/protocol/terms.ts';
import type { ThreadPool } from '../../src/threads/pool.ts';
import { hidingOf } from './hidden-parameters.ts';
import type { Journal } from './journal.ts';
import { type ProposalOptions, type Proposed, propose, reopenProposal } from './proposal.ts';
import { runRound, type Work } from './run-round.ts';

export interface TrainingOptions extends Omit<ProposalOptions, 'job' | 'model' | 'terms' | 'roster'> {
  readonly journal: Journal;
  /** Threads for what takes long; none unless given. */
  readonly pool?: ThreadPool | undefined;
  readonly client: FacilitatorClient;
  readonly parties: () => Parties;
  readonly log: Logger;
  /** Milliseconds for which a facilitator that does not answer is waited for. */
  readonly patience: number;
  /** Called whenever the facilitator has answered. */
  readonly onContact: () => void;
}

/**
 * Trains, from the beginning or from where it was left.
 *
 * @returns the trainer, finished
 * @throws SealsumError owners_too_few (naming why each refused), round_abandoned, and whatever made a sum unusable
 */
export async function train(options: TrainingOptions): Promise<Trainer> {
  const { journal } = options;
  // One that an older version kept gets the defaults of what that did not know.
  const model = parseDocument(journal.model().model);
  const { roster, trainer: state } = journal.training();
  const terms = termsOf(model, roster.length);
  const trainer = trainerOf(terms, state);
  if (trainer.finished) return trainer;

  const work = await begin(options, model, terms);
  const { job, register } = work;
  const shown = await joinJob(options, work);
  register.note(shown.owners);
  await journal.commit({ model: { owners: register.owners(), status: pastPreparing(journal) }, event: 'status' });
  options.reach('model-owner.proposal.answered');

  const { client, clock, signal, patience, onContact } = options;
  const onOwners = (): void => {
    // A commit that fails is told by the next one that is waited for.
    journal
      .commit({ model: { owners: register.owners() }, event: 'status' })
      .then(() => {
        options.reach('model-owner.owners.noted');
      })
      .catch(() => undefined);
  };
  const watch = watchJob({ client, job, register, clock, signal, patience, onOwners, onContact });
  try {
    if (shown.round === 0) await firstAnswers(watch, register, model.participation);
    await runRounds(work, watch, trainer, shown.round);
  } finally {
    watch.stop();
  }
  return trainer;
}

/** A new trainer, or the one that was interrupted. */
function trainerOf(terms: AnyTerms, state: TrainerState | undefined): Trainer {
  if (isOfStatistics(terms))
    return createCollector(terms.task, (contributors) => noiseDeviationOf(terms, contributors), state);
  const { map, task } = terms;
  const noise = noiseDeviation(terms);
  return state === undefined
    ? createTrainer(task.model, map, task, noise)
    : restoreTrainer(task.model, map, task, state, noise);
}

/** Round after round until the trainer is finished. @param newest the facilitator's newest round, 0 before the first */
async function runRounds(work: Work, watch: JobWatch, trainer: Trainer, newest: number): Promise<void> {
  const { journal } = work.options;
  for (let round = journal.training().round + 1; !trainer.finished; round += 1) {
    if (newest > round)
      throw new SealsumError(
        'round_conflict',
        `the facilitator shows round ${newest} of the job, and round ${round} has not been asked for yet`,
        { field: 'round' },
      );
    await runRound(work, watch, trainer, round, newest === round);
  }
}

/** Proposes the job unless it has been, and gets ready for its rounds. */
async function begin(options: TrainingOptions, model: AnyModel, terms: AnyTerms): Promise<Work> {
  const { journal, identity, facilitator, parties, log, reach } = options;
  const { id, owners } = journal.model();
  const job = jobIdSchema.parse(id);
  const { roster, proposal } = journal.training();
  const proposing = { ...options, job, model, terms, roster };
  let proposed: Proposed;
  if (proposal === undefined) {
    proposed = await propose(proposing);
    await journal.commit({
      training: { ...journal.training(), proposal: proposed.proposal },
      audit: [{ type: 'job.proposed', details: { job_digest: proposed.digest } }],
    });
    reach('model-owner.proposal.committed');
  } else proposed = reopenProposal(proposal, proposing);

  const { keys, digest: jobDigest } = proposed;
  const { signed } = proposed.proposal;
  const { calibration, task, plan } = terms;
  const own = calibration !== undefined && model.privacy?.place === 'model-owner';
  const decryptor = createDecryptor(keys.keyPair.privateKey);
  const spreading = { pool: options.pool, signal: options.signal };
  const noise = own ? { noise: { variance: calibration.variance, random: options.random } } : {};
  return {
    options,
    job,
    model,
    terms,
    roundTerms: { signed, jobDigest, identity, facilitator, parties },
    register: createOwnerRegister({ job, jobDigest, tagSecret: keys.tagSecret, parties, log, owners }),
    opener: {
      task,
      plan,
      decryptor,
      ...noise,
      spreading,
    },
    hiding: hidingOf(terms, keys.keyPair, decryptor, { random: options.random, spreading }),
    ciphertextBytes: ciphertextBytes(keys.keyPair.publicKey),
    earlier: [],
  };
}

/** The job at the facilitator, which is told of it unless it is known to have been. */
async function joinJob(options: TrainingOptions, { job, roundTerms }: Work): Promise<JobView> {
  const { client, signal, journal } = options;
  const { signed, jobDigest } = roundTerms;
  // A job that the facilitator had taken is not proposed again: one that has forgotten it would begin at the first round.
  const taken = journal.model().status !== 'preparing';
  const view = taken ? await client.job(job, signal) : await client.createJob(signed, signal);
  options.onContact();
  if (!taken) options.reach('model-owner.proposal.sent');
  if (objectDigest('job', view.descriptor) !== jobDigest)
    throw new SealsumError('job_conflict', `the facilitator shows another descriptor of job ${job}`, { field: 'job' });
  if (view.status !== 'open')
    throw new SealsumError('job_ended', `the job was ended at the facilitator (${view.status})`);
  return view;
}

function pastPreparing(journal: Journal): 'waiting_for_owners' | 'training' {
  return journal.training().round === 0 ? 'waiting_for_owners' : 'training';
}
