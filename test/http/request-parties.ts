/** Parties, a server that knows them, and requests of theirs over real sockets, for tests of who may speak. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { type AuthenticatedEnv, type AuthenticationOptions, authenticate } from '../../src/http/authentication.ts';
import { createBaseApp } from '../../src/http/base-app.ts';
import { createLog } from '../../src/http/log.ts';
import { type ServerOptions, startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../src/protocol/identity.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';
import { createMemoryNonceStore, type MemoryNonceStore } from './memory-nonce-store.ts';

function identity(name: string, role: Role, seed: number): Identity {
  return createIdentity(name as PartyId, role, new Uint8Array(32).fill(seed));
}

export const anna: Identity = identity('anna', 'data-owner', 1);
export const bert: Identity = identity('bert', 'data-owner', 2);
export const mona: Identity = identity('mona', 'model-owner', 3);
export const stranger: Identity = identity('stranger', 'data-owner', 4);
export const known: Parties = createParties([anna, bert, mona]);

export interface SignedServer extends AsyncDisposable {
  readonly url: string;
  readonly clock: TestClock;
  readonly nonces: MemoryNonceStore;
  readonly app: OpenAPIHono<AuthenticatedEnv>;
  readonly lines: readonly string[];
  readonly port: number;
  /** What the server is called; a test may call it otherwise. */
  readonly names: string[];
}

/** A server whose every address below /signed asks for a signature; `routes` says what is there. */
export async function startSignedServer(
  routes: (app: OpenAPIHono<AuthenticatedEnv>, clock: Clock) => void,
  options: Partial<AuthenticationOptions> & {
    readonly bodyLimit?: number;
    readonly server?: Partial<ServerOptions>;
  } = {},
): Promise<SignedServer> {
  const clock = createTestClock();
  const nonces = createMemoryNonceStore();
  const lines: string[] = [];
  const app = createBaseApp<AuthenticatedEnv>({
    party: 'tester',
    description: 'For tests.',
    log: createLog('tester', 'debug', { write: (line) => lines.push(line) }),
    bodyLimit: options.bodyLimit ?? 1 << 20,
    notReady: () => Promise.resolve(undefined),
  });
  const names: string[] = [];
  const authorities = (): readonly string[] => names;
  app.use('/signed/*', authenticate({ parties: () => known, nonces, clock, authorities, ...options }));
  routes(app, clock);
  const server = await startServer({ fetch: app.fetch, port: 0, host: '127.0.0.1', ...options.server });
  names.push(...server.authorities);
  return {
    url: server.url,
    port: server.port,
    names,
    clock,
    nonces,
    app,
    lines,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function fetchAs(identity: Identity, clock: Clock, through: typeof fetch = fetch): typeof fetch {
  return createSignedFetch({ identity, fetch: through, clock, random: systemRandom });
}
