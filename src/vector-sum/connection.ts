/** A line to one facilitator in the name of one party: what Controller and Client have in common. */
import { SealsumError } from '../errors.ts';
import { type EventLog, silentLog } from '../http/event-log.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../http/facilitator-client.ts';
import { abortWith } from '../http/signals.ts';
import { createSignedFetch } from '../http/signed-fetch.ts';
import { type ClientTls, createTransport } from '../http/transport.ts';
import { type RandomBytes, systemRandom } from '../paillier/random.ts';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import type { Identity, Role } from '../protocol/identity.ts';
import type { Parties } from '../protocol/parties.ts';

export interface ConnectionOptions {
  /** The facilitator's address, such as https://sums.example:8080 */
  readonly facilitator: string;
  /** In whose name everything is said. */
  readonly identity: Identity;
  /** Who belongs: what roster.toml says, or a function that tells it as it is now. */
  readonly parties: Parties | (() => Parties);
  /** Which of several facilitators it is, by name; the only one unless given. */
  readonly facilitatorName?: string;
  /** The addresses of other facilitators by their names, where jobs are folded by a tree of them: `facilitator` is the root. */
  readonly facilitators?: Readonly<Record<string, string>>;
  /** The authority that the facilitator's certificate must lead to, in PEM; more of it in `tls`. */
  readonly ca?: string;
  /** What is trusted and shown, in PEM. */
  readonly tls?: ClientTls;
  /** How requests are sent, instead of by connections of its own; `ca` and `tls` are of those. */
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  /** For everything secret; the operating system's generator unless given. */
  readonly random?: RandomBytes;
  /** Milliseconds for which a facilitator that does not answer is asked again; 30,000 unless given. */
  readonly patience?: number;
  /** Where notes go of what is not as it should be; nowhere unless given. A pino logger is one. */
  readonly log?: EventLog;
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal;
}

export interface Connection {
  readonly identity: Identity;
  readonly client: FacilitatorClient;
  readonly parties: () => Parties;
  /** The facilitator's name. */
  readonly facilitator: PartyId;
  /** The other facilitators that were named. */
  readonly others: readonly PartyId[];
  /**
   * A line to a facilitator by its name; undefined to one that was not named.
   *
   * @param patience milliseconds for which it is asked again; as for all unless given
   */
  lineTo(facilitator: PartyId, patience?: number): FacilitatorClient | undefined;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: EventLog;
  /** Aborts when the connection is closed. */
  readonly signal: AbortSignal;
  /** A signal that aborts with this one too, and the way to let go of it. */
  limited(signal: AbortSignal | undefined): { readonly signal: AbortSignal; readonly letGo: () => void };
  close(): Promise<void>;
}

/** @throws SealsumError config_invalid, role_forbidden, party_unknown, identity_invalid */
export function connect(options: ConnectionOptions, role: Role): Connection {
  const { identity, clock = systemClock, random = systemRandom, log = silentLog } = options;
  if (identity.role !== role)
    throw new SealsumError('role_forbidden', `identity: ${identity.name} is a ${identity.role}, not a ${role}`, {
      field: 'identity',
    });
  const { parties } = options;
  const now = typeof parties === 'function' ? parties : (): Parties => parties;
  const facilitator = facilitatorOf(now(), options.facilitatorName);
  const url = facilitatorUrl(options.facilitator, 'facilitator');
  const tls = { ...options.tls, ...(options.ca === undefined ? {} : { ca: options.ca }) };
  const transport = options.fetch === undefined ? createTransport(tls) : undefined;
  const send = options.fetch ?? transport?.fetch ?? fetch;
  const closing = new AbortController();
  const letGo = options.signal === undefined ? () => undefined : abortWith(options.signal, closing);
  const signedFetch = createSignedFetch({ identity, fetch: send, clock, random });
  const urls = facilitatorUrls(now(), facilitator, options.facilitators ?? {});
  const shared = { fetch: signedFetch, clock, random };
  const patient = options.patience === undefined ? {} : { patience: options.patience };
  return {
    identity,
    client: createFacilitatorClient({ url, ...shared, ...patient }),
    parties: now,
    facilitator,
    others: [...urls.keys()],
    lineTo: (name, patience) => {
      const address = name === facilitator ? url : urls.get(name);
      if (address === undefined) return undefined;
      return createFacilitatorClient({ url: address, ...shared, ...(patience === undefined ? patient : { patience }) });
    },
    clock,
    random,
    log,
    signal: closing.signal,
    limited: (signal) => {
      if (signal === undefined) return { signal: closing.signal, letGo: () => undefined };
      const both = new AbortController();
      const letGos = [abortWith(closing.signal, both), abortWith(signal, both)];
      return {
        signal: both.signal,
        letGo: () => {
          for (const each of letGos) each();
        },
      };
    },
    close: async () => {
      letGo();
      closing.abort();
      await transport?.[Symbol.asyncDispose]();
    },
  };
}

function facilitatorOf(parties: Parties, name: string | undefined): PartyId {
  if (name !== undefined) return parties.named(partyIdSchema.parse(name), 'facilitator').name;
  const [only, ...others] = parties.all.filter(({ role }) => role === 'facilitator');
  if (only === undefined)
    throw new SealsumError('party_unknown', 'parties: names no facilitator', { field: 'parties' });
  if (others.length > 0)
    throw new SealsumError('config_invalid', 'facilitatorName: parties names several facilitators; say which it is', {
      field: 'facilitatorName',
    });
  return only.name;
}

function facilitatorUrls(
  parties: Parties,
  root: PartyId,
  addresses: Readonly<Record<string, string>>,
): ReadonlyMap<PartyId, string> {
  const urls = new Map<PartyId, string>();
  for (const [name, url] of Object.entries(addresses)) {
    const parsed = partyIdSchema.safeParse(name);
    if (!parsed.success)
      throw new SealsumError('config_invalid', 'facilitators: expected addresses by the names of facilitators', {
        field: 'facilitators',
      });
    parties.named(parsed.data, 'facilitator');
    if (parsed.data !== root) urls.set(parsed.data, facilitatorUrl(url, `facilitators.${name}`));
  }
  return urls;
}

function facilitatorUrl(text: string, field: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new SealsumError('config_invalid', `${field}: expected an address such as https://sums.example:8080`, {
    field,
  });
}

/** What is waited for, unless the signal fires first: the work itself goes on, and nobody minds what comes of it. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(new SealsumError('aborted', 'it is waited for no longer', { cause: signal.reason }));
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}
