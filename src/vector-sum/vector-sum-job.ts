/** A vector sum as its controller has it: rounds are opened one after the other, and each is collected once. */
import { watchJob } from '../collecting/job-watch.ts';
import { createOwnerRegister, publicOwners } from '../collecting/owner-register.ts';
import { firstAnswers, gatherQuorum } from '../collecting/quorum.ts';
import {
  noteContext,
  type RoundTerms,
  signRound,
  tagCheck,
  tagContext,
  verifyClosed,
} from '../collecting/round-checks.ts';
import { SealsumError } from '../errors.ts';
import { createDecryptor } from '../paillier/decryptor.ts';
import type { KeyPair } from '../paillier/key-generation.ts';
import { ciphertextBytes } from '../paillier/public-key.ts';
import { type IntegerOpener, openIntegers } from '../pipeline.ts';
import { type PrivacyStatement, privacyStatement, spentRho, statementAfter } from '../privacy/statement.ts';
import type { JobId, OwnerId } from '../protocol/identifiers.ts';
import type { JobOutcome, JobView, OwnerView, SignedJob } from '../protocol/job-messages.ts';
import { encodeParameters } from '../protocol/parameters.ts';
import type { RoundView, SignedManifest, SignedRound } from '../protocol/round-messages.ts';
import { objectDigest } from '../protocol/signed.ts';
import type { TagContext, TagSecret } from '../protocol/tags.ts';
import { privacyTerms, type SumTerms } from '../protocol/terms.ts';
import { type Group, levelsBelow } from '../protocol/tree.ts';
import type { ThreadPool } from '../threads/pool.ts';
import { type Connection, unlessAborted } from './connection.ts';
import type { VectorSum } from './document.ts';
import { type DecodedSum, decodeSum } from './fixed-point-vector.ts';
import { type Folding, lostGroups } from './folding.ts';
import { requireParameters } from './round-parameters.ts';

/** What a round gave. */
export interface CollectedSum extends DecodedSum {
  readonly contributors: readonly OwnerId[];
  /** What the job promised, and what its rounds so far have spent of it. */
  readonly privacy: PrivacyStatement;
  /** The facilitator's, of which every line is signed by its owner. */
  readonly manifest: SignedManifest;
  /** Where several facilitators fold groups: those of which nothing is in the sum. */
  readonly lostGroups: readonly Group[];
}

/** A round that was started. */
export interface SumRound {
  /** Counted from 1. */
  readonly number: number;
  /** Who is asked. */
  readonly roster: readonly OwnerId[];
  /** Where several facilitators fold groups: who contributes at which of them. */
  readonly groups: readonly Group[];
  /** Until when the facilitator waits for all of them; RFC 3339. */
  readonly deadline: string;
  /** Whether it was collected or has failed for good: until then there is no next one. */
  readonly isOver: () => boolean;
  /**
   * Waits for the round to close, verifies manifest and aggregate, decrypts, and adds noise where the model owner does. Asked
   * again, it gives the same.
   *
   * @throws SealsumError round_abandoned, manifest_invalid, signature_invalid, tag_mismatch, count_mismatch, slot_overflow,
   *   ciphertext_invalid, weight_zero; facilitator_unreachable and aborted, after which it may be asked again
   */
  collect(options?: { readonly signal?: AbortSignal }): Promise<CollectedSum>;
}

/** How a round is started. */
export interface StartOptions {
  /** As many finite numbers as the job's `parameters`; they are signed with the round, and everybody it asks reads the same. */
  readonly parameters?: ArrayLike<number>;
  /**
   * How many owners must be ready before a round begins, and never fewer than the quorum; it begins at once then. Unless given the
   * first round waits until all have answered, for as long as a round would at most, and the others for the quorum.
   */
  readonly leastReady?: number;
  /** Whom a round asks of the owners who are ready, at least as many as the quorum; all of them unless given. */
  readonly choose?: (ready: readonly OwnerId[]) => readonly string[];
  /** Before the first round, told how many owners are ready of how many are waited for, whenever that changes. */
  readonly onReady?: (ready: number, target: number) => void;
  readonly signal?: AbortSignal;
}

/** A job of vector sums: one round after the other. */
export interface VectorSumJob extends AsyncDisposable {
  readonly id: JobId;
  /** The job's document, with every default. */
  readonly sum: VectorSum;
  /** Who may contribute, and what each of them has said. */
  readonly owners: () => readonly OwnerView[];
  /** What is promised, and what was spent of it. */
  readonly privacy: () => PrivacyStatement;
  /**
   * Opens the next round, for the owners who are ready, or for some of them: before the first it waits until all have answered, or as
   * many are ready as the job's `target_owners`, for as long as a round would at most. Where several facilitators fold groups, they
   * are drawn anew.
   *
   * @throws SealsumError plan_mismatch for another number of parameters, number_not_finite naming one; owners_too_few naming who
   *   is missing and why, or that too few were chosen; owner_not_on_roster naming who was chosen and is not ready; round_open
   *   while the one before is not collected; privacy_invalid after the last round; round_conflict when a round that could not be
   *   opened is tried again with other parameters; job_ended, facilitator_unreachable, aborted
   */
  startRound(options?: StartOptions): Promise<SumRound>;
  /** Tells the facilitator that the job is over, and forgets its keys; `finished` unless told. */
  end(outcome?: JobOutcome): Promise<void>;
}

export interface VectorSumJobOptions {
  readonly connection: Connection;
  readonly settings: VectorSum;
  readonly terms: SumTerms;
  readonly signed: SignedJob;
  /** As the facilitator shows it. */
  readonly view: JobView;
  readonly keyPair: KeyPair;
  readonly tagSecret: TagSecret;
  readonly folding: Folding;
  readonly pool: ThreadPool | undefined;
  readonly onEnd: (job: VectorSumJob) => void;
}

/** Milliseconds for which a facilitator that does not answer is waited for, at the least. */
const leastPatience = 60_000;

/** @throws SealsumError job_conflict, job_ended */
export function openVectorSumJob(options: VectorSumJobOptions): VectorSumJob {
  const { connection, settings, terms, signed, view, keyPair, tagSecret, folding, pool } = options;
  const { client, identity, facilitator, parties, clock, random, log, signal } = connection;
  const { job: id, roster } = signed.descriptor;
  const { calibration, plan } = terms;
  const jobDigest = objectDigest('job', signed.descriptor);
  if (objectDigest('job', view.descriptor) !== jobDigest)
    throw new SealsumError('job_conflict', `the facilitator shows another descriptor of job ${id}`, { field: 'job' });
  if (view.status !== 'open') throw new SealsumError('job_ended', `job ${id} is over at the facilitator`);
  const roundTerms: RoundTerms = { signed, jobDigest, identity, facilitator, parties };
  const promise = privacyTerms(settings, terms);
  const invited = roster.map((owner): OwnerView => ({ owner, status: 'invited' }));
  const register = createOwnerRegister({ job: id, jobDigest, tagSecret, parties, log, owners: invited });
  register.note(view.owners);
  const ending = new AbortController();
  const watch = watchJob({
    client,
    job: id,
    register,
    clock,
    signal,
    patience: Math.max(
      leastPatience,
      settings.participation.deadline_seconds * (1 + levelsBelow(signed.descriptor, facilitator)) * 1000,
    ),
    onOwners: () => undefined,
    onContact: () => undefined,
  });
  const opener: IntegerOpener = {
    plan,
    decryptor: createDecryptor(keyPair.privateKey),
    ...(calibration !== undefined && settings.privacy?.place === 'model-owner'
      ? { noise: { variance: calibration.variance, random } }
      : {}),
    spreading: { pool, signal: ending.signal },
  };
  const bytes = plan.ciphertexts * ciphertextBytes(keyPair.publicKey);
  const earlier: TagContext[] = [];
  let privacy = privacyStatement(promise, 0);
  /** The newest round whose privacy is spent. */
  let opened = 0;
  let answered = false;
  /** The newest round: signed, then opened, then over. */
  let newest: { readonly signed: SignedRound; opened: boolean; over: boolean } | undefined;
  let ended: Promise<void> | undefined;

  async function startRound({ parameters: given = [], ...whom }: StartOptions, until: AbortSignal): Promise<SumRound> {
    requireGoing();
    const parameters = requireParameters(settings, given);
    if (newest?.opened === true && !newest.over)
      throw new SealsumError('round_open', `round ${newest.signed.descriptor.round} has not been collected`, {
        field: 'round',
      });
    const next = newest?.opened === false ? newest : await signNext(parameters, whom, until);
    newest = next;
    requireSameParameters(next.signed, parameters);
    const shown = await folding.open(signed.descriptor, next.signed, until);
    next.opened = true;
    const { round, roster: asked, groups = [] } = next.signed.descriptor;
    let collected: Promise<CollectedSum> | undefined;
    return {
      number: round,
      roster: asked,
      groups,
      deadline: shown.deadline,
      isOver: () => next.over,
      collect: ({ signal: stop } = {}) => {
        collected ??= limited(stop, (limit) => collect(next.signed, shown, limit)).then(
          (sum) => {
            next.over = true;
            return sum;
          },
          (error: unknown) => {
            // What passes is no answer; whatever else was found of this round stays found.
            if (error instanceof SealsumError && passing.has(error.code)) collected = undefined;
            else next.over = true;
            throw error;
          },
        );
        return collected;
      },
    };
  }

  async function signNext(
    parameters: Float64Array,
    { leastReady, choose, onReady }: StartOptions,
    until: AbortSignal,
  ): Promise<NonNullable<typeof newest>> {
    const round = (newest?.signed.descriptor.round ?? 0) + 1;
    if (round > settings.rounds)
      throw new SealsumError('privacy_invalid', `round ${round} is more than the ${settings.rounds} that the job has`, {
        field: 'rounds',
      });
    const { quorum, deadline_seconds, answer_seconds, target_owners } = settings.participation;
    const enough = { quorum: Math.max(quorum, leastReady ?? 0), deadline_seconds };
    const least = leastReady === undefined ? undefined : enough.quorum;
    // A job starts with its target once.
    const first = answered ? enough : { ...enough, answer_seconds, target_owners };
    if (!answered || least !== undefined)
      await unlessAborted(firstAnswers(watch, register, first, { enough: least, onReady }), until);
    answered = true;
    const ready = await unlessAborted(gatherQuorum(watch, register, enough), until);
    const chosen = choose === undefined ? ready : chosenOf(ready, choose(ready), quorum);
    const groups = await folding.draw(signed.descriptor, chosen, until);
    const asked = { parameters, clip: undefined, ...(groups === undefined ? {} : { groups }) };
    return { signed: signRound(roundTerms, round, chosen, asked), opened: false, over: false };
  }

  async function collect(asked: SignedRound, shown: RoundView, until: AbortSignal): Promise<CollectedSum> {
    requireGoing();
    const { round } = asked.descriptor;
    const closed = await unlessAborted(watch.roundClosed(shown), until);
    const aggregate = await client.aggregate(id, round, until);
    const contributors = verifyClosed(roundTerms, asked, closed, aggregate, bytes);
    const { manifest } = closed;
    if (manifest === undefined) throw new SealsumError('manifest_invalid', `round ${round} has no manifest`);
    const context = tagContext(roundTerms, asked);
    const check = tagCheck(register, contributors, [context, ...earlier]);
    // From here on its privacy is spent, whatever becomes of the sum: it is decrypted next.
    if (opened < round) privacy = statementAfter(promise, round, contributors.length, spentRho(privacy));
    opened = round;
    const sum = await openIntegers(opener, aggregate, contributors.length, check);
    noteContext(earlier, context);
    const lost = lostGroups(asked.descriptor.groups ?? [], manifest);
    return { ...decodeSum(settings, sum, contributors.length), contributors, privacy, manifest, lostGroups: lost };
  }

  function requireGoing(): void {
    if (ended !== undefined) throw new SealsumError('job_ended', `job ${id} was ended`);
  }

  async function limited<T>(stop: AbortSignal | undefined, work: (until: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: until, letGo } = connection.limited(stop);
    try {
      return await work(until);
    } finally {
      letGo();
    }
  }

  const job: VectorSumJob = {
    id,
    sum: settings,
    owners: () => publicOwners(register.owners()),
    privacy: () => privacy,
    startRound: (given = {}) => limited(given.signal, (until) => startRound(given, until)),
    end: (outcome = 'finished') => {
      ended ??= (async () => {
        watch.stop();
        ending.abort();
        await folding.end(signed.descriptor, outcome, signal);
        options.onEnd(job);
      })().catch((error: unknown) => {
        ended = undefined;
        throw error;
      });
      return ended;
    },
    [Symbol.asyncDispose]: () => job.end(),
  };
  return job;
}

/** Whom a round asks, in the order of those who are ready. */
function chosenOf(ready: readonly OwnerId[], chosen: readonly string[], quorum: number): OwnerId[] {
  const names = new Set<string>(ready);
  // Who was found once is not found again.
  const stranger = chosen.find((owner) => !names.delete(owner));
  if (stranger !== undefined)
    throw new SealsumError('owner_not_on_roster', `choose: ${stranger} is not ready, or was chosen twice`, {
      field: 'choose',
    });
  if (chosen.length < quorum)
    throw new SealsumError('owners_too_few', `choose: ${chosen.length} are to be asked, and the quorum is ${quorum}`, {
      field: 'choose',
    });
  return ready.filter((owner) => !names.has(owner));
}

/** A round that was signed may be at the facilitator by now, whatever came back: there is no other one of its number. */
function requireSameParameters({ descriptor }: SignedRound, parameters: Float64Array): void {
  if (descriptor.parameters === encodeParameters(parameters)) return;
  throw new SealsumError(
    'round_conflict',
    `round ${descriptor.round} was signed with other parameters and may be known by now; start it with those`,
    { field: 'parameters' },
  );
}

/** What says nothing of a round: it may be collected again. */
const passing: ReadonlySet<string> = new Set([
  'aborted',
  'facilitator_unreachable',
  'request_failed',
  'internal',
  'overloaded',
  'too_many_requests',
  'store_unavailable',
  'nonce_reused',
]);
