/**
 * A facilitator over real sockets with a database in memory and a clock that tests move, and the parties that speak to it: a
 * model owner, owners with real keys and ciphertexts, and those who do not belong.
 */
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { createFacilitatorApp } from '../../../parties/facilitator/app.ts';
import type { FacilitatorDependencies } from '../../../parties/facilitator/context.ts';
import { createFacilitator, type Facilitator } from '../../../parties/facilitator/service.ts';
import type { WeightedVector } from '../../../src/encoding/contribution.ts';
import { createPlan, type Plan } from '../../../src/encoding/plan.ts';
import { type ErrorCode, SealsumError } from '../../../src/errors.ts';
import { authenticate } from '../../../src/http/authentication.ts';
import { authorityOf } from '../../../src/http/authority.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../../src/http/facilitator-client.ts';
import { createLog } from '../../../src/http/log.ts';
import { type RunningServer, startServer } from '../../../src/http/server.ts';
import { createSignedFetch } from '../../../src/http/signed-fetch.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../../../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../../../src/paillier/key-generation.ts';
import type { ModulusProof } from '../../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../../src/paillier/modulus-prover.ts';
import { publicKeyToJwk } from '../../../src/paillier/public-key.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import { openVector, sealVector } from '../../../src/pipeline.ts';
import { greatestDraw } from '../../../src/privacy/calibration.ts';
import { rational } from '../../../src/privacy/rational.ts';
import type { Clock } from '../../../src/protocol/clock.ts';
import type { JobId, OwnerId, PartyId } from '../../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Party, type Role } from '../../../src/protocol/identity.ts';
import type {
  JobDescriptor,
  OwnerAnswer,
  SignedAnswer,
  SignedJob,
  WireNoise,
} from '../../../src/protocol/job-messages.ts';
import { contributionStatement, sha256 } from '../../../src/protocol/manifest.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import { createParties, type Parties } from '../../../src/protocol/parties.ts';
import type {
  ContributionStatement,
  RoundDescriptor,
  RoundView,
  SignedReceipt,
  SignedRound,
} from '../../../src/protocol/round-messages.ts';
import { canonicalDigest, type ObjectSignature, objectDigest, signObject } from '../../../src/protocol/signed.ts';
import { planToWire } from '../../../src/protocol/wire-plan.ts';
import { createAuditLog } from '../../../src/storage/audit-log.ts';
import { openDatabase } from '../../../src/storage/database.ts';
import { createFacilitatorStore } from '../../../src/storage/durable-facilitator-store.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { createMemoryNonceStore } from '../../http/memory-nonce-store.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';

/** One key pair, and its proof, for a whole test file; that a proof is right is for the owners to check. */
export const keys: KeyPair = await generateKeyPair({ bits: 2048 });
const proof: ModulusProof = await proveModulus(keys.privateKey, new TextEncoder().encode('job'));

/** The identity of whoever has a name: the same one whenever it is asked for. */
export function identityOf(name: string, role: Role = 'data-owner'): Identity {
  return createIdentity(name as PartyId, role, createHash('sha256').update(name).digest());
}

/** Owners of the smaller jobs. */
export const anna: OwnerId = 'anna' as OwnerId;
export const bert: OwnerId = 'bert' as OwnerId;
export const cora: OwnerId = 'cora' as OwnerId;
export const trio: readonly OwnerId[] = [anna, bert, cora];
/** An owner that no job names. */
export const zoe: OwnerId = 'zoe' as OwnerId;

export const facilitatorIdentity: Identity = identityOf('facilitator', 'facilitator');
/** One that is below the first in a tree. */
export const leafIdentity: Identity = identityOf('leaf', 'facilitator');
/** The model owner, and another one. */
export const mona: Identity = identityOf('mona', 'model-owner');
export const otto: Identity = identityOf('otto', 'model-owner');
/** Whom no roster file names. */
export const stranger: Identity = identityOf('stranger');

/** Everybody who belongs. */
export function partiesWith(owners: readonly OwnerId[] = []): Parties {
  const names = new Set([...trio, zoe, ...owners]);
  return createParties([facilitatorIdentity, leafIdentity, mona, otto, ...[...names].map((name) => identityOf(name))]);
}

export const never: AbortSignal = new AbortController().signal;

/** A round as a test opens it. */
export interface RoundOptions {
  readonly job?: string;
  readonly roster?: readonly OwnerId[];
  readonly parameters?: readonly number[];
  /** encrypted_parameters of the descriptor. */
  readonly encrypted?: string;
}

export interface TestFacilitator extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly clock: TestClock;
  readonly parties: Parties;
  /** It may also be addressed like this, as through a proxy. */
  alsoAt(url: string): void;
  /** From now on these belong and nobody else. */
  admit(members: readonly Party[]): void;
  /** The model owner's client. */
  readonly client: FacilitatorClient;
  /** A client in anybody's name. */
  as(who: Identity | OwnerId): FacilitatorClient;
  /** fetch in anybody's name. */
  fetchAs(who: Identity | OwnerId): typeof fetch;
  /** The model owner creates a job, and opens a round of one it has described. */
  create(options?: JobOptions): Promise<SignedJob>;
  open(round: number, options?: RoundOptions): Promise<SignedRound>;
  /** An owner answers, and contributes. */
  answer(owner: OwnerId, status: OwnerAnswer['status'], more?: { reason?: string; job?: string }): Promise<void>;
  contribute(round: number, owner: OwnerId, bytes: Uint8Array, job?: string): Promise<SignedReceipt>;
  /** What an owner says of bytes for a round that was opened here. */
  statement(round: number, owner: OwnerId, bytes: Uint8Array, job?: string): ContributionStatement;
  readonly facilitator: Facilitator;
  readonly store: FacilitatorStore;
  readonly server: RunningServer;
  /** Every line of its log, at the level that says most. */
  readonly lines: readonly string[];
  /** What main.ts does on Ctrl-C, but that the store stays open. */
  stop(): Promise<void>;
}

export interface TestFacilitatorOptions
  extends Pick<FacilitatorDependencies, 'limits' | 'retention' | 'checkpoint' | 'metrics'> {
  readonly store?: FacilitatorStore;
  readonly clock?: TestClock;
  readonly parties?: Parties;
  readonly bodyLimit?: number;
  readonly notReady?: () => Promise<string | undefined>;
  /** What main.ts aborts when the process is to end; one of its own unless told. */
  readonly signal?: AbortSignal;
}

export async function createStore(clock: Clock = createTestClock()): Promise<FacilitatorStore> {
  const database = await openDatabase(':memory:', { role: 'facilitator' });
  return createFacilitatorStore(database, createAuditLog(facilitatorIdentity, clock));
}

export async function startFacilitator(options: TestFacilitatorOptions = {}): Promise<TestFacilitator> {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString('utf8'));
      done();
    },
  });
  const clock = options.clock ?? createTestClock();
  const log = createLog('facilitator', 'trace', sink);
  const parties = options.parties ?? partiesWith();
  let admitted = parties;
  const store = options.store ?? (await createStore(clock));
  const { limits, retention, checkpoint, metrics } = options;
  const facilitator = createFacilitator({
    identity: facilitatorIdentity,
    parties: () => admitted,
    store,
    clock,
    log,
    ...(limits === undefined ? {} : { limits }),
    ...(retention === undefined ? {} : { retention }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  await facilitator.start();
  const ending = new AbortController();
  const authorities: string[] = [];
  const { bodyLimit, notReady } = options;
  const app = createFacilitatorApp({
    facilitator,
    authentication: authenticate({
      parties: () => admitted,
      nonces: createMemoryNonceStore(),
      clock,
      authorities: () => authorities,
    }),
    clock,
    log,
    signal: options.signal ?? ending.signal,
    ...(bodyLimit === undefined ? {} : { bodyLimit }),
    ...(notReady === undefined ? {} : { notReady }),
    ...(metrics === undefined ? {} : { metrics: metrics.registry }),
  });
  const server = await startServer({
    fetch: app.fetch,
    port: 0,
    host: '127.0.0.1',
    onStop: facilitator.stop,
    drain: () => facilitator.drained(),
  });
  authorities.push(...server.authorities);
  const stop = async (): Promise<void> => {
    ending.abort();
    await server[Symbol.asyncDispose]();
  };
  const fetchAs = (who: Identity | OwnerId): typeof fetch =>
    createSignedFetch({
      identity: typeof who === 'string' ? identityOf(who) : who,
      fetch,
      clock,
      random: systemRandom,
    });
  const as = (who: Identity | OwnerId): FacilitatorClient => clientOf(server.url, who, clock);
  const jobs = new Map<string, SignedJob>();
  const rounds = new Map<string, SignedRound>();
  const client = as(mona);

  function statement(round: number, owner: OwnerId, bytes: Uint8Array, job = 'job'): ContributionStatement {
    const signed = rounds.get(`${job} ${round}`);
    if (signed === undefined) throw new Error(`this test has opened no round ${round} of ${job}`);
    const digest = objectDigest('round', signed.descriptor);
    return contributionStatement(signed, digest, { owner, digest: sha256(bytes), bytes: bytes.length });
  }

  return {
    url: server.url,
    port: server.port,
    clock,
    parties,
    alsoAt: (url) => {
      authorities.push(authorityOf(url));
    },
    admit: (members) => {
      admitted = createParties(members);
    },
    client,
    as,
    fetchAs,
    create: async (job = {}) => {
      const signed = signJob(describeJob(job));
      jobs.set(signed.descriptor.job, signed);
      await client.createJob(signed, never);
      return signed;
    },
    open: async (round, { job = 'job', ...more } = {}) => {
      const { descriptor } = jobs.get(job) ?? signJob(describeJob({ job }));
      const signed = signRound(describeRound(descriptor, round, more));
      // An owner may contribute before the model owner has its answer.
      const before = rounds.get(`${job} ${round}`);
      rounds.set(`${job} ${round}`, signed);
      try {
        await client.openRound(signed, never);
      } catch (error) {
        if (before !== undefined) rounds.set(`${job} ${round}`, before);
        throw error;
      }
      return signed;
    },
    answer: async (owner, status, { job = 'job', reason } = {}) => {
      const { descriptor } = jobs.get(job) ?? signJob(describeJob({ job }));
      await as(owner).answerJob(signAnswer(answerTo(descriptor, owner, status, reason)), never);
    },
    contribute: (round, owner, bytes, job) => {
      const said = statement(round, owner, bytes, job);
      return as(owner).contribute(said, signContribution(said), bytes, never);
    },
    statement,
    facilitator,
    store,
    server,
    lines,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The round once it is no longer open; in vain, it is told what the facilitator complained of. */
export async function ended({ client, lines }: TestFacilitator, round = 1, job = 'job'): Promise<RoundView> {
  const { job: name } = describeJob({ job });
  let view = await client.round(name, round, never);
  const complaints = (): string => lines.filter((line) => /"level":"(warn|error)"/.test(line)).join('');
  await until(`round ${round} to end`, async () => {
    view = await client.round(name, round, never);
    return view.status !== 'open';
  }).catch((cause: unknown) => {
    throw new Error(`round ${round} did not end: ${complaints()}`, { cause });
  });
  return view;
}

/** The same store, that asks before every commit: whatever is thrown, or not resolved, keeps the commit from happening. */
export function hesitantStore(store: FacilitatorStore, ask: () => Promise<void>): FacilitatorStore {
  return {
    ...store,
    commit: async (change) => {
      await ask();
      return store.commit(change);
    },
  };
}

/**
 * A client that does not repeat what failed, so that a test sees every failure, and waits longer than tests move its clock.
 *
 * @param signing by which clock requests are signed; by that of the waits unless told
 */
export function clientOf(
  url: string,
  who: Identity | OwnerId,
  clock: Clock,
  signing: Clock = clock,
): FacilitatorClient {
  const identity = typeof who === 'string' ? identityOf(who) : who;
  const signed = createSignedFetch({ identity, fetch, clock: signing, random: systemRandom });
  return createFacilitatorClient({ url, fetch: signed, clock, patience: 0, timeout: 3_600_000 });
}

/** A plan of two ciphertexts for so many owners, unless more values are asked for: 25 or so take a ciphertext. */
export function planFor(owners: number, length = 60, noise: WireNoise | null = null): Plan {
  const noiseBound = noise === null ? 0n : greatestDraw(rational(BigInt(noise.variance)));
  return createPlan({
    keyBits: 2048,
    length,
    owners,
    maxWeight: 1000n,
    valueBound: 1n << 20n,
    scale: 1024,
    noiseBound,
  });
}

export interface JobOptions {
  readonly job?: string;
  readonly roster?: readonly OwnerId[];
  readonly quorum?: number;
  readonly deadline_seconds?: number;
  readonly model?: Readonly<Record<string, unknown>>;
  /** Values of a contribution. */
  readonly length?: number;
  readonly noise?: WireNoise;
}

export function describeJob(options: JobOptions = {}): JobDescriptor {
  const roster = options.roster ?? trio;
  const model = options.model ?? { model_type: 'LINEAR_REGRESSION' };
  return {
    job: (options.job ?? 'job') as JobId,
    model_owner: mona.name,
    facilitator: facilitatorIdentity.name,
    model,
    model_hash: canonicalDigest(model),
    public_key: publicKeyToJwk(keys.publicKey),
    public_key_proof: proof,
    tag_key: 'A'.repeat(43),
    plan: planToWire(planFor(roster.length, options.length, options.noise)),
    roster,
    quorum: options.quorum ?? 2,
    deadline_seconds: options.deadline_seconds ?? 30,
    noise: options.noise ?? null,
  };
}

export function signJob(descriptor: JobDescriptor, by: Identity = mona): SignedJob {
  return { descriptor, signature: signObject(by, 'job', descriptor) };
}

export function describeRound(job: JobDescriptor, round: number, options: RoundOptions = {}): RoundDescriptor {
  return {
    job: job.job,
    round,
    job_digest: objectDigest('job', job),
    model_hash: job.model_hash,
    roster: options.roster ?? job.roster,
    quorum: job.quorum,
    deadline_seconds: job.deadline_seconds,
    parameters: encodeParameters(options.parameters ?? [0.5, -0.25, 0]),
    ...(options.encrypted === undefined ? {} : { encrypted_parameters: options.encrypted }),
  };
}

export function signRound(descriptor: RoundDescriptor, by: Identity = mona): SignedRound {
  return { descriptor, signature: signObject(by, 'round', descriptor) };
}

export function answerTo(
  job: JobDescriptor,
  owner: OwnerId,
  status: OwnerAnswer['status'],
  reason?: string,
): OwnerAnswer {
  return {
    job: job.job,
    owner,
    job_digest: objectDigest('job', job),
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(status === 'ready' ? { tag_key: 'B'.repeat(42).concat('A') } : {}),
  };
}

export function signAnswer(answer: OwnerAnswer, by: Identity = identityOf(answer.owner)): SignedAnswer {
  return { answer, signature: signObject(by, 'answer', answer) };
}

export function signContribution(
  statement: ContributionStatement,
  by: Identity = identityOf(statement.owner),
): ObjectSignature {
  return signObject(by, 'contribution', statement);
}

const encryptor: Encryptor = createEncryptor(keys.publicKey);

/** An owner's vector for the plan of `planFor`, different for every number, with the bounds among its values. */
export function vectorOf(number: number, length = 60): WeightedVector {
  const weight = BigInt(1 + ((number * 37) % 1000));
  const bound = 1000n << 20n;
  const values = Array.from({ length }, (_, index) => {
    if (index === 0) return bound;
    if (index === 1) return -bound;
    return BigInt((number + 1) * 7919 * (index + 1)) * (index % 2 === 0 ? 1n : -1n);
  });
  return { weight, values };
}

/** Fresh ciphertexts of `vectorOf(number)`. */
export function contributionOf(number: number, owners = 3, length = 60): Uint8Array {
  return sealVector(planFor(owners, length), encryptor, vectorOf(number, length));
}

/** What an aggregate decrypts to. */
export function openSum(aggregate: Uint8Array, contributors: number, owners = 3, length = 60): WeightedVector {
  return openVector(planFor(owners, length), createDecryptor(keys.privateKey), aggregate, contributors);
}

/** The exact sum of the vectors of these numbers. */
export function sumOf(numbers: readonly number[], length = 60): WeightedVector {
  const vectors = numbers.map((number) => vectorOf(number, length));
  return {
    weight: vectors.reduce((total, each) => total + each.weight, 0n),
    values: Array.from({ length }, (_, index) =>
      vectors.reduce((total, each) => total + (each.values[index] ?? 0n), 0n),
    ),
  };
}

/** The error a promise is rejected with: its code, and the rest of it on request. */
export async function refusal(work: Promise<unknown>): Promise<SealsumError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SealsumError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export async function codeOf(work: Promise<unknown>): Promise<ErrorCode> {
  return (await refusal(work)).code;
}
