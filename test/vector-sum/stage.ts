/** A facilitator over real sockets, a controller, and clients: each with a store in memory unless told. */
import { systemClock } from '../../src/protocol/clock.ts';
import { Client, type ClientOptions } from '../../src/vector-sum/client.ts';
import { memoryClientStore } from '../../src/vector-sum/client-store.ts';
import { Controller, type ControllerOptions } from '../../src/vector-sum/controller.ts';
import { oneKey } from '../end-to-end/keys.ts';
import { type Cast, createCast, type FacilitatorOptions, type RunningFacilitator, startFacilitator } from '../end-to-end/parties.ts';

const newKey = await oneKey();

export interface Stage extends AsyncDisposable {
  readonly cast: Cast;
  readonly facilitator: RunningFacilitator;
  readonly controller: Controller;
  readonly clients: readonly Client[];
  /** Another client in the name of one of the owners, counted from 0. */
  client(index: number, options?: Partial<ClientOptions>): Client;
}

export interface StageOptions {
  readonly owners?: number;
  readonly before?: FacilitatorOptions['before'];
  readonly clientOptions?: (index: number) => Partial<ClientOptions>;
  readonly controllerOptions?: Partial<ControllerOptions>;
}

export async function setStage({
  owners = 3,
  before,
  clientOptions = () => ({}),
  controllerOptions,
}: StageOptions = {}): Promise<Stage> {
  const cast = createCast(owners);
  const facilitator = await startFacilitator({ cast, ...(before === undefined ? {} : { before }) });
  const shared = { facilitator: facilitator.url, parties: cast.parties, clock: systemClock };
  const opened: AsyncDisposable[] = [];
  const client = (index: number, options: Partial<ClientOptions> = {}): Client => {
    const identity = cast.owners[index];
    if (identity === undefined) throw new Error(`there is no owner ${index}`);
    const made = new Client({ ...shared, identity, store: memoryClientStore(), ...clientOptions(index), ...options });
    opened.push(made);
    return made;
  };
  const controller = await Controller.create({ ...shared, identity: cast.modelOwner, newKey, ...controllerOptions });
  const clients = cast.owners.map((_, index) => client(index));
  return {
    cast,
    facilitator,
    controller,
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
