/** A facilitator over real sockets, a controller, and clients: each with a store in memory unless told. */
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import { createKeyChecks } from '../../src/contributing/key-checks.ts';
import type { ModulusProof } from '../../src/paillier/modulus-proof.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import { Client } from '../../src/vector-sum/client.ts';
import type { ClientOptions } from '../../src/vector-sum/client-options.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { Controller, type ControllerOptions, type VectorSumOptions } from '../../src/vector-sum/controller.ts';
import type { VectorSumJob } from '../../src/vector-sum/vector-sum-job.ts';
import { oneKey } from '../end-to-end/keys.ts';
import {
  type Cast,
  createCast,
  type FacilitatorOptions,
  type RunningFacilitator,
  startFacilitator,
} from '../end-to-end/parties.ts';

const oneKeyPair = await oneKey();
const proofs = new Map<string, Promise<ModulusProof>>();
/** One key pair, and one proof for every name of a job: all stages' first jobs are called the same. */
const newKey: NewKeySource = async (options) => {
  const key = await oneKeyPair(options);
  return {
    keyPair: key.keyPair,
    prove: (context, signal) => {
      const name = Buffer.from(context).toString('hex');
      const proof = proofs.get(name) ?? key.prove(context, signal);
      proofs.set(name, proof);
      return proof;
    },
  };
};
/** A proof is verified once for a whole test file. */
const keys = createKeyChecks();

export interface Stage extends AsyncDisposable {
  readonly cast: Cast;
  readonly facilitator: RunningFacilitator;
  readonly controller: Controller;
  /** A job with small keys, whose rounds nobody waits for long, unless told. */
  job(options: VectorSumOptions): Promise<VectorSumJob>;
  readonly clients: readonly Client[];
  /** Another client in the name of one of the owners, counted from 0. */
  client(index: number, options?: Partial<ClientOptions>): Client;
}

export interface StageOptions {
  readonly owners?: number;
  readonly before?: FacilitatorOptions['before'];
  /** Whose pages may be clients in browsers. */
  readonly origins?: readonly string[];
  /** By which the facilitator's deadlines pass. */
  readonly clock?: Clock;
  readonly clientOptions?: (index: number) => Partial<ClientOptions>;
  readonly controllerOptions?: Partial<ControllerOptions>;
}

export async function setStage({
  owners = 3,
  before,
  origins,
  clock,
  clientOptions = () => ({}),
  controllerOptions,
}: StageOptions = {}): Promise<Stage> {
  const cast = createCast(owners);
  const facilitator = await startFacilitator({
    cast,
    ...(before === undefined ? {} : { before }),
    ...(origins === undefined ? {} : { origins }),
    ...(clock === undefined ? {} : { clock }),
  });
  const shared = { facilitator: facilitator.url, parties: cast.parties, clock: systemClock };
  const opened: Client[] = [];
  const client = (index: number, options: Partial<ClientOptions> = {}): Client => {
    const identity = cast.owners[index];
    if (identity === undefined) throw new Error(`there is no owner ${index}`);
    const made = new Client({
      ...shared,
      identity,
      store: memoryClientStore(),
      keys,
      ...clientOptions(index),
      ...options,
    });
    opened.push(made);
    return made;
  };
  const controller = await Controller.create({ ...shared, identity: cast.modelOwner, newKey, ...controllerOptions });
  const clients = cast.owners.map((_, index) => client(index));
  let jobs = 0;
  return {
    cast,
    facilitator,
    controller,
    job: (options) => {
      jobs += 1;
      return controller.createJob({ ...small, id: `sum-${jobs}`, ...options });
    },
    clients,
    client,
    [Symbol.asyncDispose]: async () => {
      await controller.close();
      for (const each of opened) await each.close();
      await facilitator[Symbol.asyncDispose]();
    },
  };
}

/** What every job of these tests has unless told: small keys, and rounds that nobody waits for long. */
export const small = { keyBits: 2048, deadlineSeconds: 60 } as const;
