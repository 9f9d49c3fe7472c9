/** A facilitator over real sockets with a clock that tests move, and owners with real keys and ciphertexts. */
import { Writable } from 'node:stream';
import { createFacilitatorApp } from '../../../parties/facilitator/app.ts';
import { createFacilitator, type Facilitator } from '../../../parties/facilitator/service.ts';
import type { WeightedVector } from '../../../src/encoding/contribution.ts';
import { createPlan, type Plan } from '../../../src/encoding/plan.ts';
import { type ErrorCode, SealsumError } from '../../../src/errors.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../../src/http/facilitator-client.ts';
import { createLog } from '../../../src/http/log.ts';
import { type RunningServer, startServer } from '../../../src/http/server.ts';
import { createDecryptor } from '../../../src/paillier/decryptor.ts';
import { createEncryptor, type Encryptor } from '../../../src/paillier/encryptor.ts';
import { generateKeyPair, type KeyPair } from '../../../src/paillier/key-generation.ts';
import { publicKeyToJwk } from '../../../src/paillier/public-key.ts';
import { openVector, sealVector } from '../../../src/pipeline.ts';
import type { Clock } from '../../../src/protocol/clock.ts';
import type { JobId, OwnerId } from '../../../src/protocol/identifiers.ts';
import type { JobDescriptor } from '../../../src/protocol/messages.ts';
import { planToWire } from '../../../src/protocol/wire-plan.ts';
import type { FacilitatorStore } from '../../../src/storage/facilitator-store.ts';
import { createMemoryFacilitatorStore } from '../../../src/storage/memory-facilitator-store.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';

/** One key pair for a whole test file. */
export const keys: KeyPair = await generateKeyPair({ bits: 2048 });

/** Owners of the smaller jobs. */
export const anna: OwnerId = 'anna' as OwnerId;
export const bert: OwnerId = 'bert' as OwnerId;
export const cora: OwnerId = 'cora' as OwnerId;

export const never: AbortSignal = new AbortController().signal;

export interface TestFacilitator extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly clock: TestClock;
  readonly client: FacilitatorClient;
  readonly facilitator: Facilitator;
  readonly store: FacilitatorStore;
  readonly server: RunningServer;
  /** Every line of its log, at the level that says most. */
  readonly lines: readonly string[];
  /** What main.ts does on Ctrl-C. */
  stop(): Promise<void>;
}

export interface TestFacilitatorOptions {
  readonly store?: FacilitatorStore;
  readonly clock?: TestClock;
  readonly bodyLimit?: number;
  /** What main.ts aborts when the process is to end; one of its own unless told. */
  readonly signal?: AbortSignal;
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
  const store = options.store ?? createMemoryFacilitatorStore();
  const facilitator = createFacilitator({ store, clock, log });
  const ending = new AbortController();
  const app = createFacilitatorApp({
    facilitator,
    clock,
    log,
    signal: options.signal ?? ending.signal,
    ...(options.bodyLimit === undefined ? {} : { bodyLimit: options.bodyLimit }),
  });
  const server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1', onStop: facilitator.stop });
  const stop = async (): Promise<void> => {
    ending.abort();
    await server[Symbol.asyncDispose]();
  };
  return {
    url: server.url,
    port: server.port,
    clock,
    client: clientOf(server.url, clock),
    facilitator,
    store,
    server,
    lines,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A store that asks before every commit: whatever is thrown, or not resolved, keeps the commit from happening. */
export function hesitantStore(ask: () => Promise<void>): FacilitatorStore {
  const store = createMemoryFacilitatorStore();
  return {
    ...store,
    commit: async (change) => {
      await ask();
      return store.commit(change);
    },
  };
}

/** A client that does not repeat what failed, so that a test sees every failure, and waits longer than tests move its clock. */
export function clientOf(url: string, clock: Clock): FacilitatorClient {
  return createFacilitatorClient({ url, fetch, clock, retries: 0, timeout: 3_600_000 });
}

/** A plan of two ciphertexts for so many owners. */
export function planFor(owners: number): Plan {
  return createPlan({ keyBits: 2048, length: 60, owners, maxWeight: 1000n, valueBound: 1n << 20n, scale: 1024 });
}

export interface JobOptions {
  readonly job?: string;
  readonly roster?: readonly OwnerId[];
  readonly quorum?: number;
  readonly deadline_seconds?: number;
  readonly model?: Readonly<Record<string, unknown>>;
}

export function describeJob(options: JobOptions = {}): JobDescriptor {
  const roster = options.roster ?? [anna, bert, cora];
  return {
    job: (options.job ?? 'job') as JobId,
    model: options.model ?? { model_type: 'LINEAR_REGRESSION' },
    public_key: publicKeyToJwk(keys.publicKey),
    plan: planToWire(planFor(roster.length)),
    roster,
    quorum: options.quorum ?? 2,
    deadline_seconds: options.deadline_seconds ?? 30,
    noise: null,
  };
}

const encryptor: Encryptor = createEncryptor(keys.publicKey);

/** An owner's vector for the plan of `planFor`, different for every number, with the bounds among its values. */
export function vectorOf(number: number): WeightedVector {
  const weight = BigInt(1 + ((number * 37) % 1000));
  const bound = 1000n << 20n;
  const values = Array.from({ length: 60 }, (_, index) => {
    if (index === 0) return bound;
    if (index === 1) return -bound;
    return BigInt((number + 1) * 7919 * (index + 1)) * (index % 2 === 0 ? 1n : -1n);
  });
  return { weight, values };
}

/** Fresh ciphertexts of `vectorOf(number)`. */
export function contributionOf(number: number, owners = 3): Uint8Array {
  return sealVector(planFor(owners), encryptor, vectorOf(number));
}

/** What an aggregate decrypts to. */
export function openSum(aggregate: Uint8Array, contributors: number, owners = 3): WeightedVector {
  return openVector(planFor(owners), createDecryptor(keys.privateKey), aggregate, contributors);
}

/** The exact sum of the vectors of these numbers. */
export function sumOf(numbers: readonly number[]): WeightedVector {
  const vectors = numbers.map(vectorOf);
  return {
    weight: vectors.reduce((total, each) => total + each.weight, 0n),
    values: Array.from({ length: 60 }, (_, index) =>
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
