/**
 * What `sealsum simulate-training` does: owners with vectors of their own look for the mean of all of them, round by round, over real
 * sockets. Facilitators are a process of their own, a root and as many leaves as there are groups; model owner and owners are here,
 * each with its own keys, connections and store. Every sum is held against the plain one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createKeyChecks } from '../contributing/key-checks.ts';
import { SealsumError } from '../errors.ts';
import { type CountedBytes, createCountingFetch } from '../http/counting-fetch.ts';
import { createFacilitatorClient } from '../http/facilitator-client.ts';
import { createSignedFetch } from '../http/signed-fetch.ts';
import { createTransport } from '../http/transport.ts';
import { systemRandom } from '../paillier/random.ts';
import { systemClock } from '../protocol/clock.ts';
import { partyIdSchema } from '../protocol/identifiers.ts';
import { createIdentity, createParty, type Identity, type Role } from '../protocol/identity.ts';
import { createParties } from '../protocol/parties.ts';
import { createThreadPool } from '../threads/pool.ts';
import { Client } from '../vector-sum/client.ts';
import { memoryClientStore } from '../vector-sum/client-store.ts';
import { Controller } from '../vector-sum/controller.ts';
import type { FixedPointBits } from '../vector-sum/document.ts';
import type { VectorSumJob } from '../vector-sum/vector-sum-job.ts';

export interface SimulationSize {
  readonly owners: number;
  readonly groups: number;
  /** Values of a vector. */
  readonly length: number;
  readonly rounds: number;
  readonly bits: FixedPointBits;
  readonly keyBits: number;
}

/** Something that has happened. */
export interface Milestone {
  readonly round: number;
  readonly what: 'joined' | 'groups drawn' | 'leaf folded' | 'root folded' | 'decrypted';
  /** Where, or how many. */
  readonly detail: string;
  /** Seconds since the simulation began, or since its round did. */
  readonly seconds: number;
}

export interface SimulationReport extends SimulationSize {
  readonly milestones: readonly Milestone[];
  /** The greatest difference of a value of a sum from the plain one, and what rounding to fixed point explains. */
  readonly greatestError: number;
  readonly explainedError: number;
  /** The distance of the parameters from the mean of all owners' vectors, before the first round and after the last. */
  readonly distance: { readonly before: number; readonly after: number };
  /** Bytes of bodies that were sent and received. */
  readonly bytes: {
    readonly modelOwner: CountedBytes;
    /** Of one owner on average, and of the one with the most. */
    readonly owner: { readonly mean: CountedBytes; readonly most: CountedBytes };
    /** Between facilitators alone, by the one that sends. */
    readonly facilitators: Readonly<Record<string, CountedBytes>>;
  };
  readonly seconds: number;
}

export interface SimulationOptions extends SimulationSize {
  readonly onMilestone?: (milestone: Milestone) => void;
  readonly onProgress?: (done: number, of: number) => void;
  readonly signal: AbortSignal;
}

/** Values are within ±1, and so is every step towards the mean of them. */
const bound = 1;
/** How far a step goes. */
const rate = 0.5;
const rootName = 'root';

/** @throws SealsumError config_invalid, plan_unsafe; tag_mismatch and whatever else a round may end with; aborted */
export async function simulateTraining(options: SimulationOptions): Promise<SimulationReport> {
  const { owners: count, groups, length, rounds, signal } = options;
  const started = performance.now();
  const milestones: Milestone[] = [];
  const reached = (round: number, what: Milestone['what'], detail: string, since: number): void => {
    const milestone = { round, what, detail, seconds: (performance.now() - since) / 1000 };
    milestones.push(milestone);
    options.onMilestone?.(milestone);
  };
  const modelOwner = identityOf('model-owner', 'model-owner');
  const owners = Array.from({ length: count }, (_, index) => identityOf(`owner-${index + 1}`, 'data-owner'));
  const leaves = Array.from({ length: groups }, (_, index) => `leaf-${index + 1}`);
  await using facilitators = await startFacilitators([rootName, ...leaves], [modelOwner, ...owners], signal);
  const { parties, urls } = facilitators;
  await using pool = asyncDisposable(createThreadPool());
  const { [rootName]: root = '', ...below } = urls;
  const shared = { facilitator: root, facilitatorName: rootName, facilitators: below, parties, pool, signal };
  await using transport = createTransport();
  const counted = createCountingFetch(transport.fetch);
  await using controller = await Controller.create({ ...shared, identity: modelOwner, fetch: counted.fetch });
  const job = await controller.createJob({
    length,
    bits: options.bits,
    bound,
    rounds,
    parameters: length,
    keyBits: options.keyBits,
    quorum: count,
    targetOwners: count,
    deadlineSeconds: 3600,
    groups: { size: Math.floor(count / groups), below: leaves },
  });
  const ending = new AbortController();
  const folds = followFolds(job, urls, modelOwner, transport.fetch, ending.signal);
  const keys = createKeyChecks();
  const members = owners.map((identity) => {
    const { fetch: send, figures } = createCountingFetch(transport.fetch);
    const client = new Client({ ...shared, identity, fetch: send, keys, store: memoryClientStore() });
    return { client, figures, target: randomVector(length) };
  });
  try {
    // The first one verifies the proof of the key, and the others find that it has.
    await members[0]?.client.join(job);
    await Promise.all(members.slice(1).map(({ client }) => client.join(job)));
    const optimum = meanOf(members.map(({ target }) => target));
    let parameters = new Float64Array(length);
    const before = distanceBetween(parameters, optimum);
    let [greatestError, contributed] = [0, 0];
    for (let number = 1; number <= rounds; number += 1) {
      const since = performance.now();
      folds.onFold = (name) => {
        const what = name === rootName ? 'root folded' : 'leaf folded';
        reached(number, what, name, since);
      };
      const ready = (at: number, of: number): void => {
        if (at === of) reached(number, 'joined', `${at} owners`, started);
      };
      const round = await job.startRound({ parameters, onReady: ready, signal });
      reached(number, 'groups drawn', round.groups.map(({ roster }) => roster.length).join(' + '), since);
      const plain = new Float64Array(length);
      await Promise.all(
        members.map(async ({ client, target }) => {
          const step = stepTowards(target, await client.parametersOf(job, round, { signal }));
          await client.submit(job, round, step, { signal });
          for (const [index, value] of step.entries()) plain[index] = (plain[index] ?? 0) + value;
          contributed += 1;
          options.onProgress?.(contributed, rounds * count);
        }),
      );
      const { sum, mean } = await round.collect({ signal });
      reached(number, 'decrypted', `${length} values`, since);
      for (const [index, value] of sum.entries())
        greatestError = Math.max(greatestError, Math.abs(value - (plain[index] ?? 0)));
      parameters = parameters.map((value, index) => value + (mean[index] ?? 0));
    }
    const after = distanceBetween(parameters, optimum);
    const explainedError = explained(options);
    if (!(greatestError <= explainedError))
      throw new SealsumError(
        'internal',
        `a sum differs by ${greatestError} from the plain one, and rounding explains ${explainedError}: do not trust this machine`,
      );
    return {
      owners: count,
      groups,
      length,
      rounds,
      bits: options.bits,
      keyBits: options.keyBits,
      milestones,
      greatestError,
      explainedError,
      distance: { before, after },
      bytes: {
        modelOwner: counted.figures,
        owner: ownersFigures(members.map(({ figures }) => figures)),
        facilitators: await facilitators.figures(),
      },
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    ending.abort();
    await Promise.all(members.map(({ client }) => client.close()));
    await folds.done;
  }
}

function identityOf(name: string, role: Role): Identity {
  return createIdentity(partyIdSchema.parse(name), role, systemRandom(32));
}

/** Uniform in [−1/2, 1/2): from there no step is longer than the bound. */
function randomVector(length: number): Float64Array {
  const bytes = systemRandom(4 * length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length }, (_, index) => view.getUint32(4 * index) / 2 ** 32 - 0.5);
}

function stepTowards(target: Float64Array, from: Float64Array): Float64Array {
  return target.map((value, index) => rate * (value - (from[index] ?? 0)));
}

function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (const [index, value] of vector.entries()) sum[index] = (sum[index] ?? 0) + value;
  return sum.map((value) => value / vectors.length);
}

function distanceBetween(left: Float64Array, right: Float64Array): number {
  return Math.sqrt(left.reduce((sum, value, index) => sum + (value - (right[index] ?? 0)) ** 2, 0));
}

/** Half a unit of fixed point for every owner, and what adding that many doubles is rounded by. */
function explained({ owners, bits }: SimulationSize): number {
  return owners * (bound / 2 ** bits + owners * bound * 2 ** -52);
}

function ownersFigures(all: readonly CountedBytes[]): SimulationReport['bytes']['owner'] {
  const of = (which: keyof CountedBytes): number[] => all.map((figures) => figures[which]);
  const mean = (values: number[]): number => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
  return {
    mean: { sent: mean(of('sent')), received: mean(of('received')) },
    most: { sent: Math.max(...of('sent')), received: Math.max(...of('received')) },
  };
}

/** Tells when a facilitator has folded its part, as its events say. */
function followFolds(
  job: VectorSumJob,
  urls: Readonly<Record<string, string>>,
  identity: Identity,
  send: typeof fetch,
  signal: AbortSignal,
) {
  const signed = createSignedFetch({ identity, fetch: send, clock: systemClock, random: systemRandom });
  const folds = { onFold: (() => undefined) as (name: string) => void, done: Promise.resolve() };
  folds.done = Promise.all(
    Object.entries(urls).map(async ([name, url]) => {
      const client = createFacilitatorClient({ url, fetch: signed, clock: systemClock });
      try {
        for await (const { type } of client.followJob(job.id, 0, signal))
          if (type === 'round.closed') folds.onFold(name);
      } catch (error) {
        // A milestone that is not told is no reason to end.
        if (!(error instanceof SealsumError)) throw error;
      }
    }),
  ).then(() => undefined);
  return folds;
}

interface Facilitators extends AsyncDisposable {
  readonly parties: ReturnType<typeof createParties>;
  /** By name. */
  readonly urls: Readonly<Record<string, string>>;
  /** What each has sent to others, and received of them. */
  figures(): Promise<Readonly<Record<string, CountedBytes>>>;
}

type Told =
  | { readonly facilitators: readonly { readonly name: string; readonly publicKey: string; readonly url: string }[] }
  | { readonly figures: Readonly<Record<string, CountedBytes>> };

async function startFacilitators(
  names: readonly string[],
  others: readonly Identity[],
  signal: AbortSignal,
): Promise<Facilitators> {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fork(fileURLToPath(new URL(`../../parties/facilitator/several.${ending}`, import.meta.url)));
  try {
    child.send({ names, others: others.map(({ name, role, publicKey }) => ({ name, role, publicKey })) });
    const told = await answerOf(child, signal);
    if (!('facilitators' in told))
      throw new SealsumError('internal', 'the facilitators have said something else first');
    const members = told.facilitators.map(({ name, publicKey }) =>
      createParty(partyIdSchema.parse(name), 'facilitator', publicKey),
    );
    return {
      parties: createParties([...members, ...others]),
      urls: Object.fromEntries(told.facilitators.map(({ name, url }) => [name, url])),
      figures: async () => {
        child.send('figures');
        const answer = await answerOf(child, signal);
        return 'figures' in answer ? answer.figures : {};
      },
      [Symbol.asyncDispose]: () => stop(child),
    };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

/** The next message of a process. @throws SealsumError internal when it ends instead; aborted */
function answerOf(child: ChildProcess, signal: AbortSignal): Promise<Told> {
  return new Promise((resolve, reject) => {
    const settle = (work: () => void) => (): void => {
      child.removeListener('message', onMessage);
      child.removeListener('exit', onExit);
      signal.removeEventListener('abort', onAbort);
      work();
    };
    const onMessage = (message: Told): void => {
      settle(() => {
        resolve(message);
      })();
    };
    const onExit = settle(() => {
      reject(new SealsumError('internal', 'the process of the facilitators has ended; see what it says above'));
    });
    const onAbort = settle(() => {
      reject(new SealsumError('aborted', 'the simulation was stopped'));
    });
    if (signal.aborted) onAbort();
    child.once('message', onMessage);
    child.once('exit', onExit);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.connected) child.disconnect();
  else child.kill();
  await ended;
}

function asyncDisposable<T extends { close(): Promise<void> }>(closed: T): T & AsyncDisposable {
  return Object.assign(closed, { [Symbol.asyncDispose]: () => closed.close() });
}
