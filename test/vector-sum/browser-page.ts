/** What browser.test.ts runs in a page: a data owner, asked from outside, which answers in JSON. */
import {
  Client,
  type ClientOptions,
  createIdentity,
  createParties,
  createParty,
  memoryClientStore,
  openClientStore,
  partyIdSchema,
  type Role,
  SealsumError,
} from '../../src/client.browser.ts';

export interface Setting {
  readonly facilitator: string;
  readonly name: string;
  readonly seed: readonly number[];
  readonly parties: readonly { readonly name: string; readonly role: Role; readonly key: string }[];
  readonly policy?: NonNullable<ClientOptions['policy']>;
  readonly patience?: number;
  /** The name of a durable store; one in memory unless given. */
  readonly store?: string;
}

/** What came of it, or the error. */
export type Outcome = { readonly value: unknown } | { readonly code: string; readonly field: string | undefined };

let client: Client | undefined;
const present = (): Client => {
  if (client === undefined) throw new Error('no client was opened');
  return client;
};

const owner = {
  async open({ facilitator, name, seed, parties, policy, patience, store }: Setting): Promise<string> {
    const identity = createIdentity(partyIdSchema.parse(name), 'data-owner', Uint8Array.from(seed));
    client = new Client({
      facilitator,
      identity,
      parties: createParties(parties.map((each) => createParty(partyIdSchema.parse(each.name), each.role, each.key))),
      store: store === undefined ? memoryClientStore() : await openClientStore(store, identity),
      ...(policy === undefined ? {} : { policy }),
      ...(patience === undefined ? {} : { patience }),
    });
    return client.owner;
  },
  join: (job: string): Promise<unknown> => present().join(job),
  next: (job: string): Promise<number> => present().nextRound(job),
  submit: (job: string, round: number, vector: readonly (number | null)[]): Promise<unknown> =>
    // JSON has no NaN.
    present().submit(
      job,
      round,
      vector.map((value) => value ?? Number.NaN),
    ),
  spent: async (): Promise<unknown> =>
    (await present().ledger()).accounts.map(({ rounds, spent }) => ({ rounds, rho: spent.rho.value })),
  included: async (job: string, round: number): Promise<boolean> => (await present().inclusion(job, round)).included,
};

export type Ask = <Name extends keyof typeof owner>(
  name: Name,
  ...input: Parameters<(typeof owner)[Name]>
) => Promise<Outcome>;

const ask: Ask = async (name, ...input) => {
  try {
    const value: unknown = await (owner[name] as (...each: readonly unknown[]) => unknown)(...input);
    return { value: JSON.parse(JSON.stringify(value ?? null)) as unknown };
  } catch (error) {
    if (error instanceof SealsumError) return { code: error.code, field: error.field };
    throw error;
  }
};

Object.assign(globalThis, { ask });
