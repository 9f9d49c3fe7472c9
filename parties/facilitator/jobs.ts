/** How jobs begin and end at a facilitator, and what owners answer to them. */
import { isDeepStrictEqual } from 'node:util';
import { SealsumError } from '../../src/errors.ts';
import { bitLength } from '../../src/paillier/bytes.ts';
import { modulusFromJwk, publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type { Party } from '../../src/protocol/identity.ts';
import type { JobDescriptor, JobOutcome, OwnerView, SignedAnswer, SignedJob } from '../../src/protocol/job-messages.ts';
import { withdrawOwner } from '../../src/protocol/round.ts';
import { canonicalDigest, objectDigest, verifyObject } from '../../src/protocol/signed.ts';
import { facilitatorsOf, parentOf } from '../../src/protocol/tree.ts';
import { planFromWire, type WirePlan } from '../../src/protocol/wire-plan.ts';
import type { JobRecord } from '../../src/storage/facilitator-store.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { Rounds } from './rounds.ts';

export interface Jobs {
  /**
   * Creates a job, or finds it as it was created. In its turn.
   *
   * @throws SealsumError role_forbidden, signature_invalid, message_invalid, party_unknown, key_too_small, key_invalid,
   *   plan_mismatch, plan_unsafe, too_many_requests, job_conflict
   */
  create(party: Party, signed: SignedJob): Promise<{ readonly created: boolean; readonly value: JobRecord }>;
  /** Notes an owner's answer. In the job's turn. @throws SealsumError signature_invalid, message_invalid, job_ended */
  answer(signed: SignedAnswer): Promise<void>;
  /** Ends a job; one that has ended stays as it is. */
  end(job: JobId, outcome: JobOutcome): Promise<void>;
  /** Ends a job as failed if nothing has happened in it for so many milliseconds. */
  endIdle(job: JobId, milliseconds: number): Promise<void>;
}

export function createJobs(context: FacilitatorContext, rounds: Rounds, onChanged: () => void): Jobs {
  const { identity, parties, clock, checkpoint, limits, books, turns, upstream } = context;

  /** Refuses a job that its model owner has not signed, or not for this facilitator, or not as it is. */
  function requireSound(party: Party, { descriptor, signature }: SignedJob): void {
    const { model_owner: name, facilitator, model, model_hash, roster } = descriptor;
    if (name !== party.name)
      throw new SealsumError('role_forbidden', `${party.name} cannot propose a job of ${name}`, {
        field: 'descriptor.model_owner',
      });
    if (!facilitatorsOf(descriptor).includes(identity.name))
      throw new SealsumError(
        'message_invalid',
        `the job is for the facilitator ${facilitator}, this is ${identity.name}`,
        {
          field: 'descriptor.facilitator',
        },
      );
    const known = parties();
    verifyObject(known, { name, role: 'model-owner' }, 'job', descriptor, signature);
    if (canonicalDigest(model) !== model_hash)
      throw new SealsumError('message_invalid', 'descriptor.model_hash: it is not the hash of this model', {
        field: 'descriptor.model_hash',
      });
    for (const owner of roster) known.named(owner, 'data-owner');
    if (descriptor.tree === undefined) return;
    for (const name of facilitatorsOf(descriptor)) known.named(name, 'facilitator');
    const parent = parentOf(descriptor, identity.name);
    if (parent !== undefined && upstream(parent) === undefined)
      throw new SealsumError(
        'config_invalid',
        `the job has ${parent} fold what ${identity.name} releases, which knows no such address; name it in [[upstream]] there`,
        { field: 'descriptor.tree' },
      );
  }

  /** Refuses a key that is none and plans that do not follow from what they ask for. */
  function requirePlans({ public_key, plan, closing_plan: closingPlan, roster }: JobDescriptor): void {
    // What is checked of a modulus takes the longer the larger it is, so none larger than the plan's is.
    const bits = bitLength(modulusFromJwk({ ...public_key }, ''));
    if (bits <= plan.key_bits) publicKeyFromJwk(public_key);
    requirePlan('plan', plan, bits, roster.length);
    if (closingPlan !== undefined) requirePlan('closing_plan', closingPlan, bits, roster.length);
  }

  function requirePlan(name: string, plan: WirePlan, bits: number, rosterLength: number): void {
    const refuse = (field: string, why: string): SealsumError =>
      new SealsumError('plan_mismatch', why, { field: `${name}.${field}` });
    if (bits !== plan.key_bits)
      throw refuse('key_bits', `${name}.key_bits is ${plan.key_bits}, the key has ${bits} bits`);
    const { owners } = planFromWire(plan, name);
    if (owners < rosterLength) throw refuse('owners', `${name}.owners is ${owners}, the roster names ${rosterLength}`);
    const { bytes } = blocksOf(plan, limits.blockBytes);
    if (bytes > limits.contributionBytes)
      throw refuse(
        'ciphertexts',
        `a contribution of ${plan.ciphertexts} ciphertexts takes ${bytes} bytes, this facilitator takes at most ` +
          `${limits.contributionBytes}; raise limits.contribution_bytes there, or train a smaller model`,
      );
  }

  async function end(record: JobRecord, status: JobOutcome, reason?: string): Promise<void> {
    const { job } = record.signed.descriptor;
    const outcome = { job: { ...record, status, changedAt: clock.now() } };
    const told = { status, ...(reason === undefined ? {} : { reason }) };
    checkpoint('facilitator.job.before-end');
    await books.commit(
      job,
      {
        ...outcome,
        forget: [{ job }],
        events: [books.event(job, 'job.ended', told)],
        audit: [{ type: 'job.ended', job, details: told }],
      },
      outcome,
    );
    rounds.release(job);
    checkpoint('facilitator.job.after-end');
    onChanged();
  }

  return {
    create: async (party, signed) => {
      const { descriptor } = signed;
      const { job, roster } = descriptor;
      requireSound(party, signed);
      // Of thousands of owners, each check takes milliseconds.
      await turns.rest();
      const digest = objectDigest('job', descriptor);
      const existing = await books.findJob(job);
      if (existing?.digest === digest) return { created: false, value: existing };
      if (existing !== undefined)
        throw new SealsumError('job_conflict', `job ${job} exists with another descriptor`, { field: 'job' });
      requirePlans(descriptor);
      await turns.rest();
      if (books.register.openJobs(party.name) >= limits.openJobs)
        throw new SealsumError(
          'too_many_requests',
          `${party.name} has ${limits.openJobs} open jobs; end one of them first`,
          {
            retryAfter: 60,
          },
        );
      const now = clock.now();
      const record: JobRecord = {
        signed,
        digest,
        status: 'open',
        owners: roster.map((owner) => ({ owner, status: 'invited' })),
        round: 0,
        createdAt: now,
        changedAt: now,
      };
      checkpoint('facilitator.job.before-commit');
      await books.commit(
        job,
        {
          job: record,
          events: [books.event(job, 'job.created')],
          audit: [{ type: 'job.created', job, details: { model_owner: party.name, job_digest: digest } }],
        },
        { job: record },
      );
      checkpoint('facilitator.job.after-commit');
      onChanged();
      return { created: true, value: record };
    },

    answer: async ({ answer, signature }) => {
      const { job, owner, status, reason, job_digest } = answer;
      verifyObject(parties(), { name: owner, role: 'data-owner' }, 'answer', answer, signature);
      const record = await books.openJob(job);
      if (job_digest !== record.digest)
        throw new SealsumError('message_invalid', `answer.job_digest: it is not that of job ${job}`, {
          field: 'answer.job_digest',
        });
      const known = record.owners.find((each) => each.owner === owner);
      const view: OwnerView = {
        owner,
        status,
        ...(reason === undefined ? {} : { reason }),
        answer: { answer, signature },
      };
      const round = await books.findRound(job, record.round);
      if (known?.status === status && isDeepStrictEqual(known.answer?.answer, answer)) {
        // The answer to the first time may have been lost together with what was to follow it.
        if (round !== undefined) rounds.watch(round.state);
        return;
      }
      const owners = record.owners.map((each) => (each.owner === owner ? view : each));
      const changed = { ...record, owners, changedAt: clock.now() };
      const state = round === undefined || status === 'ready' ? undefined : withdrawOwner(round.state, owner);
      const outcome =
        round === undefined || state === undefined || state === round.state
          ? { job: changed }
          : { job: changed, round: { ...round, state } };
      const told = { owner, status, ...(reason === undefined ? {} : { reason }) };
      checkpoint('facilitator.answer.before-commit');
      await books.commit(
        job,
        {
          ...outcome,
          owners: [{ job, view }],
          events: [books.event(job, 'owner.answered', told)],
          audit: [{ type: 'owner.answered', job, owner, details: { status } }],
        },
        outcome,
      );
      checkpoint('facilitator.answer.after-commit');
      if (outcome.round !== undefined) rounds.watch(outcome.round.state);
    },

    end: async (job, outcome) => {
      const resume = rounds.suspend(job);
      try {
        await books.inTurn(job, async () => {
          const record = await books.existingJob(job);
          if (record.status === 'open') await end(record, outcome);
        });
      } finally {
        resume();
      }
    },

    endIdle: (job, milliseconds) =>
      books.inTurn(job, async () => {
        const record = await books.findJob(job);
        if (record?.status !== 'open' || clock.now() - record.changedAt < milliseconds) return;
        const round = await books.findRound(job, record.round);
        if (round?.state.status === 'open') return;
        checkpoint('facilitator.job.idle');
        const days = Math.round(milliseconds / 86_400_000);
        await end(record, 'failed', `nothing happened for ${days} ${days === 1 ? 'day' : 'days'}`);
      }),
  };
}
