/**
 * One round of a training: asked for (or taken up again after a restart), waited for, verified, opened, absorbed, kept. Every
 * step that others rely on is durable before the next one.
 */

import type { JobWatch } from '../../src/collecting/job-watch.ts';
import type { OwnerRegister } from '../../src/collecting/owner-register.ts';
import { gatherQuorum } from '../../src/collecting/quorum.ts';
import {
  adoptRound,
  noteContext,
  type RoundTerms,
  signRound,
  tagCheck,
  tagContext,
  verifyClosed,
} from '../../src/collecting/round-checks.ts';
import type { Plan } from '../../src/encoding/plan.ts';
import { SealsumError } from '../../src/errors.ts';
import type { FacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import type { AnyTask } from '../../src/learning/statistics/task.ts';
import { atClip, type Statistics } from '../../src/learning/task.ts';
import type { Trainer } from '../../src/learning/trainer.ts';
import { type Opener, open } from '../../src/pipeline.ts';
import { type PrivacyStatement, spentRho, statementAfter } from '../../src/privacy/statement.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import { roundDigest } from '../../src/protocol/round-digest.ts';
import type { RoundView, SignedRound } from '../../src/protocol/round-messages.ts';
import { objectDigest } from '../../src/protocol/signed.ts';
import type { TagContext } from '../../src/protocol/tags.ts';
import { type AnyTerms, privacyTerms } from '../../src/protocol/terms.ts';
import type { RoundDigests, RoundReport } from '../../src/storage/model-store.ts';
import type { Reach } from './checkpoints.ts';
import { askedBefore, askedWith, type Hiding } from './hidden-parameters.ts';
import type { Journal } from './journal.ts';
import type { Measures } from './measures.ts';

/** Everything that the rounds of one training work with. */
export interface Work {
  readonly options: {
    readonly journal: Journal;
    readonly client: FacilitatorClient;
    readonly clock: Clock;
    readonly measures: Measures;
    readonly signal: AbortSignal;
    readonly reach: Reach;
  };
  readonly job: JobId;
  readonly model: AnyModel;
  readonly terms: AnyTerms;
  readonly roundTerms: RoundTerms;
  readonly register: OwnerRegister;
  readonly opener: Opener;
  /** Undefined where owners see the parameters. */
  readonly hiding: Hiding | undefined;
  /** Of one ciphertext. */
  readonly ciphertextBytes: number;
  /** Contexts of the newest rounds, newest first: what a contribution may be a replay of. */
  readonly earlier: TagContext[];
}

/** @param opened whether the round is open at the facilitator already, or over */
export async function runRound(
  work: Work,
  watch: JobWatch,
  trainer: Trainer,
  round: number,
  opened: boolean,
): Promise<void> {
  const { options } = work;
  const { clock, measures, reach } = options;
  const asked = opened ? await adopt(work, trainer, round) : await ask(work, watch, trainer, round);
  const started = asked.at;
  const closed = await watch.roundClosed(asked.view).catch((error: unknown) => {
    if (error instanceof SealsumError && error.code === 'round_abandoned') measures.round('abandoned');
    throw error;
  });
  reach('model-owner.round.ended');
  const aggregate = await options.client.aggregate(work.job, round, options.signal);
  reach('model-owner.aggregate.fetched');
  const { owners, statistics } = await openClosed(work, asked.signed, closed, aggregate);
  const contributors = owners.length;
  trainer.absorb(statistics);
  reach('model-owner.sum.absorbed');
  const seconds = (clock.monotonic() - started) / 1000;
  const { evaluated } = trainer;
  const { clip, closing } = asked.signed.descriptor;
  const digests = digestsOf(closed);
  const report: RoundReport = {
    round,
    contributors,
    seconds,
    bytes: aggregate.length,
    ...(digests === undefined ? {} : { digests }),
    ...standing(work, asked.signed, owners),
    ...(closing === true ? { closing } : evaluated === undefined ? {} : { metrics: evaluated }),
    ...(clip === undefined ? {} : { clip }),
  };
  await options.journal.commit({
    model: { status: 'training', lastRound: report, updates: trainer.round },
    training: { ...options.journal.training(), round, trainer: trainer.state() },
    round: report,
    event: 'round',
    audit: [
      {
        type: 'sum.opened',
        round,
        details: { manifest_digest: digests?.manifest ?? '', contributors },
      },
    ],
  });
  reach('model-owner.sum.committed');
  measures.round('summed', seconds);
}

/** A round that was verified has a manifest. */
function digestsOf({ manifest: signed }: RoundView): RoundDigests | undefined {
  if (signed === undefined) return undefined;
  const { manifest } = signed;
  return {
    round: manifest.round_digest,
    manifest: objectDigest('manifest', manifest),
    aggregate: manifest.aggregate_digest,
  };
}

/** Who was not in a round, and what is spent with it. */
function standing(
  { options: { journal } }: Work,
  { descriptor }: SignedRound,
  owners: readonly OwnerId[],
): Pick<RoundReport, 'missing' | 'not_asked' | 'spent'> {
  const { privacy } = journal.model();
  const contributed = new Set(owners);
  const asked = new Set(descriptor.roster);
  return {
    missing: descriptor.roster.filter((owner) => !contributed.has(owner)),
    not_asked: journal.training().roster.filter((owner) => !asked.has(owner)),
    ...('spent' in privacy ? { spent: { rho: privacy.spent.rho.number, epsilon: privacy.spent.epsilon } } : {}),
  };
}

/** A round that was asked for, and when that was, as the clock's monotonic() tells. */
interface Asked {
  readonly signed: SignedRound;
  readonly view: RoundView;
  readonly at: number;
}

/** Asks for the next round, of the owners who are ready. */
async function ask(work: Work, watch: JobWatch, trainer: Trainer, round: number): Promise<Asked> {
  const { client, clock, journal, signal, reach } = work.options;
  const roster = await gatherQuorum(watch, work.register, work.model.participation);
  reach('model-owner.owners.gathered');
  const at = clock.monotonic();
  const asked = await askedWith(work.hiding, trainer);
  const signed = signRound(work.roundTerms, round, roster, asked);
  reach('model-owner.round.signed');
  // With the answers of everybody who is asked: the facilitator forgets the one that came before an owner's newest.
  await journal.commit({
    model: { owners: work.register.owners() },
    audit: [
      {
        type: 'round.opened',
        round,
        details: { round_digest: roundDigest(signed.descriptor), owners: roster.length },
      },
    ],
  });
  reach('model-owner.round.committed');
  try {
    const view = await client.openRound(signed, signal);
    reach('model-owner.round.sent');
    return { signed, view, at };
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code !== 'round_conflict') throw error;
    // One that was sent before a restart, and arrived only after the facilitator had been asked about it.
    const view = await client.round(work.job, round, signal).catch(() => undefined);
    if (view === undefined) throw error;
    return {
      signed: adoptRound(work.roundTerms, view, round, await askedBefore(work.hiding, trainer, view)),
      view,
      at,
    };
  }
}

/** Goes on with a round that was asked for before a restart. */
async function adopt(work: Work, trainer: Trainer, round: number): Promise<Asked> {
  const { client, clock, signal, reach } = work.options;
  const at = clock.monotonic();
  const view = await client.round(work.job, round, signal);
  const signed = adoptRound(work.roundTerms, view, round, await askedBefore(work.hiding, trainer, view));
  reach('model-owner.resume.adopted');
  return { signed, view, at };
}

interface Opened {
  /** Who contributed. */
  readonly owners: readonly OwnerId[];
  readonly statistics: Statistics;
}

/** Verifies a closed round and opens its sum; one that fails a check is noted and refused. */
async function openClosed(work: Work, signed: SignedRound, closed: RoundView, aggregate: Uint8Array): Promise<Opened> {
  const { journal, measures } = work.options;
  const { round } = signed.descriptor;
  try {
    return await openVerified(work, signed, closed, aggregate);
  } catch (error) {
    // A process that stops refuses nothing: the sum is opened by the next one.
    const isRefusal = error instanceof SealsumError && error.code !== 'aborted';
    if (isRefusal && journal.failed() === undefined) {
      measures.round('refused');
      const { code, field } = error;
      await journal.commit({
        audit: [{ type: 'sum.refused', round, details: { code, ...(field === undefined ? {} : { field }) } }],
      });
    }
    throw error;
  }
}

/** What is spent once this round is opened. */
function privacyAfter({ model, terms, options }: Work, round: number, contributors: number): PrivacyStatement {
  const promise = privacyTerms(model, terms);
  return statementAfter(promise, round, contributors, spentRho(options.journal.model().privacy));
}

/** What a round sums, and by which plan. */
function roundTermsOf({ terms }: Work, { descriptor }: SignedRound): { readonly task: AnyTask; readonly plan: Plan } {
  if (descriptor.closing !== true) return terms;
  if (terms.closing !== undefined) return terms.closing;
  throw new SealsumError('plan_mismatch', 'the job has no closing round', { field: 'closing' });
}

async function openVerified(
  work: Work,
  signed: SignedRound,
  closed: RoundView,
  aggregate: Uint8Array,
): Promise<Opened> {
  const { roundTerms, options, earlier } = work;
  const { journal, clock, measures, reach } = options;
  const { round, clip } = signed.descriptor;
  const { task, plan } = roundTermsOf(work, signed);
  const contributors = verifyClosed(roundTerms, signed, closed, aggregate, plan.ciphertexts * work.ciphertextBytes);
  reach('model-owner.manifest.verified');
  // From here on its privacy is spent, whatever becomes of the sum: it is decrypted next.
  if (journal.training().opened < round) {
    await journal.commit({
      model: { privacy: privacyAfter(work, round, contributors.length) },
      training: { ...journal.training(), opened: round },
    });
    reach('model-owner.opening.committed');
  }
  const context = tagContext(roundTerms, signed);
  const started = clock.monotonic();
  // Noise that was drawn before a restart was shown to nobody; only the sum that is kept counts.
  const check = tagCheck(work.register, contributors, [context, ...earlier]);
  const opener = { ...work.opener, plan, task: atClip(task, clip) };
  const statistics = await open(opener, aggregate, contributors.length, check);
  measures.crypto('decrypt', clock.monotonic() - started);
  reach('model-owner.sum.decrypted');
  noteContext(earlier, context);
  return { owners: contributors, statistics };
}
