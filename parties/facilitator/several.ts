/**
 * Several facilitators in one process, each with a server of its own and a store in memory: what `sealsum simulate-training` starts.
 * They are told by messages of the process that has started them which of them there are and who else belongs; everything else comes
 * over their sockets, from each other too. They end with that process.
 */
import { authenticate } from '../../src/http/authentication.ts';
import { createCountingFetch } from '../../src/http/counting-fetch.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, createParty, type Identity } from '../../src/protocol/identity.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { createFacilitatorApp } from './app.ts';
import { createFacilitator } from './service.ts';

/** The first message: who they are to be, and everybody else's public keys. */
interface Begin {
  readonly names: readonly string[];
  readonly others: readonly {
    readonly name: string;
    readonly role: 'model-owner' | 'data-owner';
    readonly publicKey: string;
  }[];
}

const clock = systemClock;
const log = createLog('facilitator', 'silent');
const ending = new AbortController();
const urls = new Map<string, string>();
const figures: Record<string, { sent: number; received: number }> = {};

async function start(identity: Identity, parties: () => Parties): Promise<RunningServer> {
  const database = await openDatabase(':memory:', { role: 'facilitator' });
  const counted = createCountingFetch(fetch);
  figures[identity.name] = counted.figures;
  const signed = createSignedFetch({ identity, fetch: counted.fetch, clock, random: systemRandom });
  const facilitator = createFacilitator({
    identity,
    parties,
    store: createFacilitatorStore(database, createAuditLog(identity, clock)),
    clock,
    log,
    upstream: (name) => {
      const url = urls.get(name);
      if (url === undefined) return undefined;
      const patience = Number.POSITIVE_INFINITY;
      return createFacilitatorClient({ url, fetch: signed, clock, random: systemRandom, patience });
    },
  });
  const names: string[] = [];
  const nonces = createNonceStore(database);
  const authentication = authenticate({ parties, nonces, clock, authorities: () => names });
  const app = createFacilitatorApp({ facilitator, authentication, clock, log, signal: ending.signal });
  await facilitator.start();
  const server = await startServer({
    fetch: app.fetch,
    port: 0,
    host: '127.0.0.1',
    onStop: facilitator.stop,
    drain: async () => {
      await facilitator.drained();
      await database.close();
    },
  });
  names.push(...server.authorities);
  return server;
}

async function begin({ names, others }: Begin): Promise<void> {
  const identities = names.map((name) => createIdentity(partyIdSchema.parse(name), 'facilitator', systemRandom(32)));
  const known = createParties([
    ...identities,
    ...others.map(({ name, role, publicKey }) => createParty(partyIdSchema.parse(name), role, publicKey)),
  ]);
  const facilitators: { name: string; publicKey: string; url: string }[] = [];
  for (const identity of identities) {
    const { url } = await start(identity, () => known);
    urls.set(identity.name, url);
    facilitators.push({ name: identity.name, publicKey: identity.publicKey, url });
  }
  process.send?.({ facilitators });
}

process.on('message', (message: Begin | 'figures') => {
  if (message === 'figures') process.send?.({ figures });
  else void begin(message);
});
// Whoever has started it is gone, and nobody else knows of it.
process.once('disconnect', () => process.exit());
