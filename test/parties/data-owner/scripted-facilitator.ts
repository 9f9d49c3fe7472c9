/**
 * A facilitator and a model owner in memory for tests of a data owner: honest unless a test rewrites what is shown or taken,
 * and noting everything that is sent to it.
 */

import { SealsumError } from '../../../src/errors.ts';
import type { FacilitatorClient } from '../../../src/http/facilitator-client.ts';
import { parseModel } from '../../../src/learning/model.ts';
import { generateKeyPair } from '../../../src/paillier/key-generation.ts';
import type { ModulusProof } from '../../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../../src/paillier/modulus-prover.ts';
import type { PrivateKey } from '../../../src/paillier/private-key.ts';
import { type PublicKey, publicKeyToJwk } from '../../../src/paillier/public-key.ts';
import type { JobEvent } from '../../../src/protocol/events.ts';
import { type JobId, type OwnerId, ownerIdSchema, type PartyId } from '../../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../../src/protocol/identity.ts';
import type {
  JobDescriptor,
  JobView,
  OwnerStatus,
  SignedAnswer,
  SignedJob,
} from '../../../src/protocol/job-messages.ts';
import { sha256 } from '../../../src/protocol/manifest.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { createParties, type Parties } from '../../../src/protocol/parties.ts';
import type {
  ContributionStatement,
  RoundDescriptor,
  RoundView,
  SignedManifest,
  SignedReceipt,
  SignedRound,
} from '../../../src/protocol/round-messages.ts';
import { canonicalDigest, type ObjectSignature, objectDigest, signObject } from '../../../src/protocol/signed.ts';
import { createTagSecret, type TagSecret } from '../../../src/protocol/tags.ts';
import { noiseToWire, termsOf } from '../../../src/protocol/terms.ts';
import { planToWire } from '../../../src/protocol/wire-plan.ts';

function identityOf(name: string, role: Role): Identity {
  return createIdentity(name as PartyId, role, Buffer.from(sha256(Buffer.from(name)), 'hex'));
}

export const facilitator: Identity = identityOf('facilitator', 'facilitator');
export const modelOwner: Identity = identityOf('model-owner', 'model-owner');
export const annaIdentity: Identity = identityOf('anna', 'data-owner');
export const bertIdentity: Identity = identityOf('bert', 'data-owner');
const coraIdentity = identityOf('cora', 'data-owner');
export const stranger: Identity = identityOf('stranger', 'model-owner');
export const anna: OwnerId = ownerIdSchema.parse('anna');
export const bert: OwnerId = ownerIdSchema.parse('bert');
export const cora: OwnerId = ownerIdSchema.parse('cora');
export const parties: Parties = createParties([facilitator, modelOwner, annaIdentity, bertIdentity, coraIdentity]);

/** One key for all tests. */
const keyPair = await generateKeyPair({ bits: 2048 });
export const publicKey: PublicKey = keyPair.publicKey;
export const privateKey: PrivateKey = keyPair.privateKey;
export const tagSecret: TagSecret = createTagSecret(modelOwner.derive('tags of the test'));

const proofs = new Map<string, Promise<ModulusProof>>();

/** That the key is well formed, for this job of the model owner's. */
export function proofFor(job: string): Promise<ModulusProof> {
  const known = proofs.get(job);
  if (known !== undefined) return known;
  const context = Buffer.from(`sealsum modulus proof v1|${job}|${modelOwner.name}`, 'utf8');
  const proof = proveModulus(privateKey, context);
  proofs.set(job, proof);
  return proof;
}

/** What an honest model owner proposes for a model. */
export async function describe(json: object, name = 'job'): Promise<JobDescriptor> {
  const model = parseModel(json);
  const roster = [anna, bert, cora];
  const terms = termsOf(model, roster.length);
  const { quorum, deadline_seconds } = model.participation;
  const shown = JSON.parse(JSON.stringify(model)) as Record<string, unknown>;
  return {
    job: name as JobId,
    model_owner: modelOwner.name,
    facilitator: facilitator.name,
    model: shown,
    model_hash: canonicalDigest(shown),
    public_key: publicKeyToJwk(publicKey),
    public_key_proof: await proofFor(name),
    tag_key: tagSecret.publicKey,
    plan: planToWire(terms.plan),
    ...(terms.closing === undefined ? {} : { closing_plan: planToWire(terms.closing.plan) }),
    roster,
    quorum,
    deadline_seconds,
    noise: noiseToWire(model, terms),
  };
}

export function signJob(descriptor: JobDescriptor, signer: Identity = modelOwner): SignedJob {
  return { descriptor, signature: signObject(signer, 'job', descriptor) };
}

/** An honest round of a job, and what a test makes of it before it is signed. */
export function describeRound(
  job: JobDescriptor,
  round: number,
  parameters: readonly number[],
  changes: Partial<RoundDescriptor> = {},
): RoundDescriptor {
  const { model_hash, roster, quorum, deadline_seconds } = job;
  const job_digest = objectDigest('job', job);
  const common = { job: job.job, round, job_digest, model_hash, roster, quorum, deadline_seconds };
  return { ...common, parameters: encodeParameters(parameters), ...changes };
}

export function signRound(descriptor: RoundDescriptor, signer: Identity = modelOwner): SignedRound {
  return { descriptor, signature: signObject(signer, 'round', descriptor) };
}

const openedAt = Date.UTC(2024, 0, 1);

/** A round that has just been opened, as a facilitator shows it. */
export function viewOf(signed: SignedRound): RoundView {
  const { job, round, roster, deadline_seconds } = signed.descriptor;
  return {
    job,
    round,
    status: 'open',
    signed,
    roster,
    opened_at: new Date(openedAt).toISOString(),
    deadline: new Date(openedAt + deadline_seconds * 1000).toISOString(),
    contributors: [],
    missing: roster,
  };
}

/** What was sent as a contribution, whether it was taken or not. */
export interface SentContribution {
  readonly statement: ContributionStatement;
  readonly signature: ObjectSignature;
  readonly bytes: Uint8Array;
}

interface ScriptedJob {
  readonly signed: SignedJob;
  status: JobView['status'];
  owner: { status: OwnerStatus; answer?: SignedAnswer };
  readonly rounds: Map<number, RoundView>;
  readonly taken: Map<number, SentContribution>;
}

type OwnerClient = Pick<FacilitatorClient, 'jobs' | 'job' | 'answerJob' | 'round' | 'contribute' | 'followAll'>;

/** What a test may put in place of what is honest; called with it. */
export interface Tampering {
  job?: (view: JobView) => JobView;
  round?: (view: RoundView) => RoundView;
  receipt?: (receipt: SignedReceipt) => SignedReceipt;
  /** Throws in place of an answer, before anything is taken. */
  before?: (request: keyof OwnerClient) => void | Promise<void>;
  /** Throws in place of an answer that was given, so that it is lost on the way. */
  after?: (request: keyof OwnerClient) => void;
}

/** The facilitator as anna sees it. */
export class ScriptedFacilitator {
  readonly tampering: Tampering = {};
  /** Whether a round is shown with the event that it has opened. */
  showing = false;
  readonly sent: SentContribution[] = [];
  readonly answers: SignedAnswer[] = [];
  /** Names of requests in the order in which they arrived. */
  readonly requests: (keyof OwnerClient)[] = [];
  readonly #jobs = new Map<JobId, ScriptedJob>();
  readonly #followers = new Set<(event: JobEvent | 'broken') => void>();
  #events = 0;

  /** Proposes a job and tells of it. */
  propose(signed: SignedJob): void {
    const { job } = signed.descriptor;
    this.#jobs.set(job, { signed, status: 'open', owner: { status: 'invited' }, rounds: new Map(), taken: new Map() });
    this.tell({ type: 'job.created', job });
  }

  openRound(signed: SignedRound): void {
    const { job, round } = signed.descriptor;
    this.#job(job).rounds.set(round, viewOf(signed));
    this.#tellOpened(job, round);
  }

  /** Shows another descriptor for a round that there is. */
  replaceRound(signed: SignedRound): void {
    const { job, round } = signed.descriptor;
    const shown = this.#job(job).rounds.get(round);
    this.#job(job).rounds.set(round, { ...viewOf(signed), contributors: shown?.contributors ?? [] });
    this.#tellOpened(job, round);
  }

  #tellOpened(job: JobId, round: number): void {
    const view = this.#round(job, round);
    this.tell({
      type: 'round.opened',
      job,
      round,
      ...(this.showing ? { view: this.tampering.round?.(view) ?? view } : {}),
    });
  }

  /** Ends a round, with the contributions that came and those of the others. */
  closeRound(job: JobId, round: number): SignedManifest {
    const { rounds } = this.#job(job);
    const view = this.#round(job, round);
    const manifest = this.#manifestOf(job, view);
    rounds.set(round, { ...view, status: 'closed', missing: [], manifest });
    this.tell({ type: 'round.closed', job, round });
    return manifest;
  }

  abandonRound(job: JobId, round: number): void {
    const view = this.#round(job, round);
    this.#job(job).rounds.set(round, { ...view, status: 'abandoned', reason: 'too few came' });
    this.tell({ type: 'round.abandoned', job, round });
  }

  endJob(job: JobId): void {
    this.#job(job).status = 'finished';
    this.tell({ type: 'job.ended', job, status: 'finished' });
  }

  /** Says of anna that she missed a deadline. */
  missAnna(job: JobId): void {
    this.#job(job).owner.status = 'absent';
    this.tell({ type: 'owner.answered', job, owner: anna, status: 'absent' });
  }

  forgetJob(job: JobId): void {
    this.#jobs.delete(job);
  }

  /** How anna stands in a job. */
  standing(job: JobId): OwnerStatus {
    return this.#job(job).owner.status;
  }

  /** The bytes that anna sent to a round, every time she did. */
  sentTo(job: JobId, round: number): Uint8Array[] {
    return this.sent
      .filter(({ statement }) => statement.job === job && statement.round === round)
      .map(({ bytes }) => bytes);
  }

  /** What was taken of anna for a round. */
  taken(job: JobId, round: number): SentContribution | undefined {
    return this.#jobs.get(job)?.taken.get(round);
  }

  /** Breaks every stream of events; who follows connects again. */
  breakLines(): void {
    for (const follower of this.#followers) follower('broken');
  }

  tell(event: Omit<JobEvent, 'id' | 'at'>): void {
    const numbered = { ...event, id: ++this.#events, at: new Date(openedAt).toISOString() };
    for (const follower of this.#followers) follower(numbered);
  }

  readonly client: OwnerClient = {
    jobs: () =>
      this.#answer('jobs', () =>
        [...this.#jobs.values()].map(({ signed, status, rounds }) => ({
          job: signed.descriptor.job,
          status,
          roster: signed.descriptor.roster,
          round: Math.max(0, ...rounds.keys()),
          created_at: new Date(openedAt).toISOString(),
        })),
      ),
    job: (job) =>
      this.#answer('job', () => {
        const { signed, status, owner, rounds } = this.#job(job);
        const view: JobView = {
          ...signed,
          status,
          owners: [{ owner: anna, ...owner }],
          round: Math.max(0, ...rounds.keys()),
          created_at: new Date(openedAt).toISOString(),
        };
        return this.tampering.job?.(view) ?? view;
      }),
    answerJob: (signed) =>
      this.#answer('answerJob', () => {
        const job = this.#job(signed.answer.job);
        if (job.status !== 'open') throw new SealsumError('job_ended', 'the job has ended');
        this.answers.push(signed);
        job.owner = { status: signed.answer.status, answer: signed };
      }),
    round: (job, round) =>
      this.#answer('round', () => {
        const view = this.#round(job, round);
        return this.tampering.round?.(view) ?? view;
      }),
    contribute: (statement, signature, bytes) =>
      this.#answer('contribute', () => {
        this.sent.push({ statement, signature, bytes });
        this.#take({ statement, signature, bytes });
        const receipt = { receipt: statement, signature: signObject(facilitator, 'receipt', statement) };
        return this.tampering.receipt?.(receipt) ?? receipt;
      }),
    followAll: (_owner, signal, hooks) => this.#follow(signal, hooks ?? {}),
  };

  #job(job: JobId): ScriptedJob {
    const found = this.#jobs.get(job);
    if (found === undefined) throw new SealsumError('job_unknown', `there is no job ${job}`);
    return found;
  }

  #round(job: JobId, round: number): RoundView {
    const found = this.#job(job).rounds.get(round);
    if (found === undefined) throw new SealsumError('round_unknown', `there is no round ${round}`);
    return found;
  }

  /** One contribution per round; the same bytes again change nothing, whatever has become of the round. */
  #take(sent: SentContribution): void {
    const { job, round, digest } = sent.statement;
    const { rounds, taken } = this.#job(job);
    const before = taken.get(round);
    if (before !== undefined) {
      if (before.statement.digest === digest) return;
      throw new SealsumError('contribution_conflict', 'other bytes were contributed before');
    }
    const view = this.#round(job, round);
    if (view.status !== 'open') throw new SealsumError(`round_${view.status}`, `round ${round} is ${view.status}`);
    taken.set(round, sent);
    rounds.set(round, { ...view, contributors: [...view.contributors, anna] });
  }

  #manifestOf(job: JobId, { round, signed }: RoundView): SignedManifest {
    const mine = this.#job(job).taken.get(round);
    const { job_digest = '', model_hash = '' } = signed?.descriptor ?? {};
    const contributions = [bertIdentity, coraIdentity].map((each) => {
      const digest = sha256(Buffer.from(each.name));
      return { owner: each.name as OwnerId, digest, bytes: 512, signature: signObject(each, 'contribution', digest) };
    });
    if (mine !== undefined) {
      const { digest, bytes } = mine.statement;
      contributions.push({ owner: anna, digest, bytes, signature: mine.signature });
    }
    const manifest = {
      job,
      round,
      job_digest,
      round_digest: objectDigest('round', signed?.descriptor),
      model_hash,
      contributions,
      count: contributions.length,
      aggregate_digest: sha256(Buffer.from('sum')),
    };
    return { manifest, signature: signObject(facilitator, 'manifest', manifest) };
  }

  async #answer<T>(request: keyof OwnerClient, answer: () => T): Promise<T> {
    await Promise.resolve();
    this.requests.push(request);
    await this.tampering.before?.(request);
    const given = answer();
    this.tampering.after?.(request);
    return given;
  }

  async *#follow(
    signal: AbortSignal,
    { onConnected, onBroken }: { onConnected?: () => Promise<void>; onBroken?: (error: unknown) => void },
  ): AsyncGenerator<JobEvent> {
    while (!signal.aborted) {
      const heard: (JobEvent | 'broken' | 'stopped')[] = [];
      let wake = (): void => undefined;
      const follower = (event: JobEvent | 'broken' | 'stopped'): void => {
        heard.push(event);
        wake();
      };
      const stop = (): void => {
        follower('stopped');
      };
      signal.addEventListener('abort', stop);
      this.#followers.add(follower);
      try {
        await onConnected?.();
        for (;;) {
          const event = heard.shift();
          if (event === 'stopped') return;
          if (event === 'broken') throw new SealsumError('facilitator_unreachable', 'the line broke');
          if (event !== undefined) yield event;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } catch (error) {
        onBroken?.(error);
        // A line that breaks at once is not tried in a circle.
        await new Promise((resolve) => setImmediate(resolve));
      } finally {
        signal.removeEventListener('abort', stop);
        this.#followers.delete(follower);
      }
    }
  }
}
