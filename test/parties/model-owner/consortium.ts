/**
 * A facilitator and its data owners in memory, for tests of a model owner: everything that is signed and encrypted is real, all
 * owners answer and contribute at once, and a test may tell the facilitator to lie.
 */
import { randomBytes } from 'node:crypto';
import { SealsumError } from '../../../src/errors.ts';
import { createBell } from '../../../src/http/bell.ts';
import type { FacilitatorClient } from '../../../src/http/facilitator-client.ts';
import { compileFeatures, encodeTable, type Records } from '../../../src/learning/features.ts';
import { type Model, parseModel } from '../../../src/learning/model.ts';
import { readTable } from '../../../src/learning/table.ts';
import { contribution } from '../../../src/learning/task.ts';
import { aggregate } from '../../../src/paillier/aggregate.ts';
import { createEncryptor, type Encryptor } from '../../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../../src/paillier/public-key.ts';
import { sealVector } from '../../../src/pipeline.ts';
import { timestamp } from '../../../src/protocol/clock.ts';
import type { JobEvent, JobEventBody } from '../../../src/protocol/events.ts';
import { type JobId, type OwnerId, ownerIdSchema, partyIdSchema } from '../../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../../src/protocol/identity.ts';
import type { JobView, OwnerView, SignedAnswer, SignedJob } from '../../../src/protocol/job-messages.ts';
import { contributionStatement, sha256 } from '../../../src/protocol/manifest.ts';
import { decodeParameters } from '../../../src/protocol/parameters.ts';
import { createParties, type Parties } from '../../../src/protocol/parties.ts';
import type { AcceptedContribution } from '../../../src/protocol/round.ts';
import type { Manifest, RoundView, SignedManifest, SignedRound } from '../../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../../src/protocol/signed.ts';
import { createTagSecret, type TagContext, tagsOf } from '../../../src/protocol/tags.ts';
import { termsOf } from '../../../src/protocol/terms.ts';
import { dealtOut, type Sample } from '../../end-to-end/data.ts';

export function newIdentity(name: string, role: Role): Identity {
  return createIdentity(partyIdSchema.parse(name), role, randomBytes(32));
}

/** One contribution as its owner made it. */
export interface Contribution {
  readonly owner: OwnerId;
  readonly bytes: Uint8Array;
  readonly line: AcceptedContribution;
}

/** What a dishonest facilitator does differently; every field may be set at any time. */
export interface Lies {
  /** The contributions that it multiplies, in place of those that it lists. */
  multiplied?: (contributions: readonly Contribution[], round: number) => readonly Uint8Array[];
  /** What becomes of a manifest before the facilitator signs it. */
  manifest?: (manifest: Manifest, round: number) => Manifest;
  /** What becomes of the bytes of an aggregate when they are fetched. */
  aggregate?: (bytes: Uint8Array) => Uint8Array;
  /** What becomes of a signed round when it is shown. */
  shownRound?: (signed: SignedRound) => SignedRound | undefined;
  /** What becomes of an answer when it is shown. */
  shownOwner?: (view: OwnerView) => OwnerView;
  shownJob?: (view: JobView) => JobView;
}

interface Round {
  readonly signed: SignedRound;
  readonly contributions: readonly Contribution[];
  readonly status: 'open' | 'closed' | 'abandoned';
  readonly manifest?: SignedManifest;
  readonly aggregate?: Uint8Array;
}

interface Job {
  readonly signed: SignedJob;
  readonly digest: string;
  readonly encryptor: Encryptor;
  readonly owners: Map<OwnerId, OwnerView>;
  readonly rounds: Round[];
  status: JobView['status'];
}

export interface MemoryConsortium {
  readonly facilitator: Identity;
  readonly modelOwner: Identity;
  readonly owners: readonly Identity[];
  readonly parties: Parties;
  readonly lies: Lies;
  /** Asked for every request before it does anything; may throw, or take its time. */
  before: (request: string) => Promise<void> | void;
  /** Whether a round is shown with the event that it is closed. */
  showing: boolean;
  /** The owners that contribute to a round; all who are asked unless set. */
  contributing: (owner: OwnerId, round: number) => boolean;
  /** Whether an owner answers a new job, and that it refuses; all say ready unless set. */
  answering: (owner: OwnerId) => boolean | 'refused';
  connect: (patience: number) => FacilitatorClient;
  /** How a job stands, as the facilitator knows it. */
  job(id: string): JobView | undefined;
  /** The rounds of a job as they were signed. */
  rounds(id: string): readonly SignedRound[];
  /** Makes the facilitator forget a job. */
  forget(id: string): void;
  /** Lets an owner say something else. */
  say(id: string, owner: OwnerId, status: 'refused' | 'withdrawn' | 'ready'): void;
  /** Lets a round that is open be abandoned. */
  abandon(id: string): void;
  /** What has been asked of it, such as `openRound 2`. */
  readonly requests: string[];
}

export async function createMemoryConsortium(document: unknown, sample: Sample, count = 3): Promise<MemoryConsortium> {
  const facilitator = newIdentity('facilitator', 'facilitator');
  const modelOwner = newIdentity('model-owner', 'model-owner');
  const owners = Array.from({ length: count }, (_, index) => newIdentity(`owner-${index + 1}`, 'data-owner'));
  const parties = createParties([facilitator, modelOwner, ...owners]);
  const secrets = new Map(owners.map((owner) => [owner.name as string, createTagSecret(randomBytes(32))]));
  const model = parseModel(document);
  const records = await recordsOf(model, sample, count);
  const jobs = new Map<string, Job>();
  const events: JobEvent[] = [];
  const bell = createBell();
  const lies: Lies = {};
  const requests: string[] = [];

  function tell(job: JobId, type: JobEventBody['type'], more: Partial<JobEvent> = {}): void {
    events.push({ id: events.length + 1, job, type, at: timestamp(0), ...more });
    bell.ring();
  }

  function existing(id: string): Job {
    const job = jobs.get(id);
    if (job === undefined) throw new SealsumError('job_unknown', `there is no job ${id}`, { field: 'job' });
    return job;
  }

  function answer(job: Job, owner: Identity, status: SignedAnswer['answer']['status']): void {
    const id = job.signed.descriptor.job;
    const name = ownerIdSchema.parse(owner.name);
    const said: SignedAnswer['answer'] = {
      job: id,
      owner: name,
      job_digest: job.digest,
      status,
      ...(status === 'ready' ? { tag_key: secrets.get(owner.name)?.publicKey ?? '' } : { reason: 'for a reason' }),
    };
    const signed = { answer: said, signature: signObject(owner, 'answer', said) };
    job.owners.set(name, {
      owner: name,
      status,
      answer: signed,
      ...(said.reason === undefined ? {} : { reason: said.reason }),
    });
    tell(id, 'owner.answered', { owner: name, status });
  }

  function viewJob(job: Job): JobView {
    const view: JobView = {
      ...job.signed,
      status: job.status,
      owners: [...job.owners.values()].map((each) => lies.shownOwner?.(each) ?? each),
      round: job.rounds.length,
      created_at: timestamp(0),
    };
    return structuredClone(lies.shownJob?.(view) ?? view);
  }

  function viewRound({ signed, status, contributions, manifest }: Round): RoundView {
    const { job, round, roster } = signed.descriptor;
    const contributors = contributions.map((each) => each.owner);
    const shown = lies.shownRound === undefined ? signed : lies.shownRound(signed);
    return structuredClone({
      job,
      round,
      status,
      roster,
      opened_at: timestamp(0),
      deadline: timestamp(0),
      contributors,
      missing: roster.filter((owner) => !contributors.includes(owner)),
      ...(shown === undefined ? {} : { signed: shown }),
      ...(manifest === undefined ? {} : { manifest }),
      ...(status === 'abandoned' ? { reason: `round ${round} was abandoned` } : {}),
    });
  }

  function contribute(job: Job, signed: SignedRound): Contribution[] {
    const { round, roster, parameters } = signed.descriptor;
    const roundDigest = objectDigest('round', signed.descriptor);
    const context: TagContext = { job: job.digest, round, roundDigest };
    const terms = termsOf(model, job.signed.descriptor.roster.length);
    return owners.flatMap((identity, index) => {
      const owner = ownerIdSchema.parse(identity.name);
      const mine = records[index];
      if (mine === undefined || !roster.includes(owner) || !consortium.contributing(owner, round)) return [];
      const key = secrets.get(owner)?.agree(job.signed.descriptor.tag_key, owner);
      if (key === undefined) return [];
      const tags = tagsOf(key, context, terms.plan.ciphertexts);
      const vector = contribution(terms.task, mine, decodeParameters(parameters));
      const bytes = sealVector(terms.plan, job.encryptor, vector, tags);
      const said = { owner, digest: sha256(bytes), bytes: bytes.length };
      const statement = contributionStatement(signed, roundDigest, said);
      return [{ owner, bytes, line: { ...said, signature: signObject(identity, 'contribution', statement) } }];
    });
  }

  function close(job: Job, signed: SignedRound): Round {
    const contributions = contribute(job, signed);
    const { descriptor } = signed;
    if (contributions.length < descriptor.roster.length) return { signed, contributions, status: 'open' };
    const factors = lies.multiplied?.(contributions, descriptor.round) ?? contributions.map((each) => each.bytes);
    const { ciphertexts } = job.signed.descriptor.plan;
    const product = aggregate(job.encryptor, ciphertexts, factors);
    const honest: Manifest = {
      job: descriptor.job,
      round: descriptor.round,
      job_digest: descriptor.job_digest,
      round_digest: objectDigest('round', descriptor),
      model_hash: descriptor.model_hash,
      contributions: contributions.map((each) => each.line),
      count: contributions.length,
      aggregate_digest: sha256(product),
    };
    const manifest = lies.manifest?.(honest, descriptor.round) ?? honest;
    const signature = signObject(facilitator, 'manifest', manifest);
    return { signed, contributions, status: 'closed', manifest: { manifest, signature }, aggregate: product };
  }

  function openRound(signed: SignedRound): RoundView {
    const { job: id, round } = signed.descriptor;
    const job = existing(id);
    if (job.status !== 'open') throw new SealsumError('job_ended', `job ${id} has ended`);
    const known = job.rounds[round - 1];
    if (known !== undefined) {
      if (known.signed.signature.value === signed.signature.value) return viewRound(known);
      throw new SealsumError('round_conflict', `round ${round} exists and differs`, { field: 'round' });
    }
    if (round !== job.rounds.length + 1)
      throw new SealsumError('round_conflict', `the next round is ${job.rounds.length + 1}`, { field: 'round' });
    const made = close(job, signed);
    job.rounds.push(made);
    tell(id, 'round.opened', { round });
    if (made.status === 'closed')
      tell(id, 'round.closed', { round, ...(consortium.showing ? { view: viewRound(made) } : {}) });
    // As it stood when it was opened.
    return { ...viewRound({ signed, contributions: [], status: 'open' }) };
  }

  async function* follow(id: JobId, after: number, signal: AbortSignal): AsyncGenerator<JobEvent> {
    for (let position = after; !signal.aborted; ) {
      const rung = bell.next(signal);
      for (const event of events.slice(position)) {
        position = event.id;
        if (event.job === id) yield event;
        if (event.job === id && event.type === 'job.ended') return;
      }
      await rung;
    }
  }

  async function asked<T>(request: string, signal: AbortSignal, act: () => T): Promise<T> {
    requests.push(request);
    await consortium.before(request);
    // As much time as a request takes at least.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    if (signal.aborted) throw new SealsumError('aborted', `${request} was stopped`);
    return act();
  }

  const client: FacilitatorClient = {
    createJob: (signed, signal) =>
      asked('createJob', signal, () => {
        const { job: id } = signed.descriptor;
        const known = jobs.get(id);
        if (known !== undefined) {
          if (known.signed.signature.value === signed.signature.value) return viewJob(known);
          throw new SealsumError('job_conflict', `job ${id} exists and differs`, { field: 'job' });
        }
        const job: Job = {
          signed: structuredClone(signed),
          digest: objectDigest('job', signed.descriptor),
          encryptor: createEncryptor(publicKeyFromJwk(signed.descriptor.public_key)),
          owners: new Map(signed.descriptor.roster.map((owner) => [owner, { owner, status: 'invited' }])),
          rounds: [],
          status: 'open',
        };
        jobs.set(id, job);
        tell(id, 'job.created');
        const view = viewJob(job);
        for (const owner of owners) {
          const answers = consortium.answering(ownerIdSchema.parse(owner.name));
          if (answers !== false) answer(job, owner, answers === 'refused' ? 'refused' : 'ready');
        }
        return view;
      }),
    job: (id, signal) => asked('job', signal, () => viewJob(existing(id))),
    jobs: () => Promise.resolve([]),
    endJob: (id, outcome, signal) =>
      asked(`endJob ${outcome}`, signal, () => {
        const job = existing(id);
        if (job.status !== 'open') return;
        job.status = outcome;
        tell(id, 'job.ended', { status: outcome });
      }),
    answerJob: () => Promise.reject(new SealsumError('role_forbidden', 'a model owner answers no job')),
    contribute: () => Promise.reject(new SealsumError('role_forbidden', 'a model owner does not contribute')),
    report: () => Promise.reject(new SealsumError('role_forbidden', 'a model owner folds nothing')),
    openRound: (signed, signal) => asked(`openRound ${signed.descriptor.round}`, signal, () => openRound(signed)),
    round: (id, round, signal) =>
      asked(`round ${round}`, signal, () => {
        const known = existing(id).rounds[round - 1];
        if (known === undefined) throw new SealsumError('round_unknown', `there is no round ${round}`);
        return viewRound(known);
      }),
    aggregate: (id, round, signal) =>
      asked(`aggregate ${round}`, signal, () => {
        const bytes = existing(id).rounds[round - 1]?.aggregate;
        if (bytes === undefined) throw new SealsumError('round_unknown', `there is no aggregate of round ${round}`);
        return lies.aggregate?.(bytes) ?? bytes;
      }),
    owners: (signal) => asked('owners', signal, () => owners.map(({ name }) => ownerIdSchema.parse(name))),
    followJob: async function* (id, after, signal, hooks) {
      await asked('followJob', signal, () => existing(id));
      await hooks?.onConnected?.();
      yield* follow(id, after, signal);
    },
    followAll: async function* () {
      // Nothing of a model owner follows everything.
    },
  };

  const consortium: MemoryConsortium = {
    facilitator,
    modelOwner,
    owners,
    parties,
    lies,
    requests,
    before: () => undefined,
    showing: false,
    contributing: () => true,
    answering: () => true,
    connect: () => client,
    job: (id) => {
      const job = jobs.get(id);
      return job === undefined ? undefined : viewJob(job);
    },
    rounds: (id) => existing(id).rounds.map(({ signed }) => signed),
    forget: (id) => {
      jobs.delete(id);
    },
    say: (id, owner, status) => {
      const identity = owners.find(({ name }) => name === owner);
      if (identity !== undefined) answer(existing(id), identity, status);
    },
    abandon: (id) => {
      const job = existing(id);
      const last = job.rounds.pop();
      if (last === undefined) return;
      job.rounds.push({ ...last, status: 'abandoned' });
      tell(last.signed.descriptor.job, 'round.abandoned', { round: last.signed.descriptor.round });
    },
  };
  return consortium;
}

async function recordsOf(model: Model, sample: Sample, count: number): Promise<Records[]> {
  const map = compileFeatures(model);
  return Promise.all(
    dealtOut(sample, count).map(async (text) => encodeTable(map, await readTable({ text }, model.data_props))),
  );
}
