#!/usr/bin/env node
/** The facilitator as a process. */
import { Command } from 'commander';
import { openDashboard } from '../../src/config/dashboard.ts';
import { listeningOf } from '../../src/config/listening.ts';
import { loadParty, upstreamAccess } from '../../src/config/load.ts';
import type { PartyOptions } from '../../src/config/party-config.ts';
import { partyOptions } from '../../src/config/party-options.ts';
import { systemTerminal } from '../../src/config/terminal.ts';
import { authenticate } from '../../src/http/authentication.ts';
import { authorityOf, isLoopback } from '../../src/http/authority.ts';
import { killAt } from '../../src/http/checkpoint-kill.ts';
import { createLimiter } from '../../src/http/limits.ts';
import { refuseInOneLine, runParty } from '../../src/http/party-process.ts';
import { createReadiness } from '../../src/http/readiness.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { requireSafeListening } from '../../src/http/transport.ts';
import { preferBackend, selectBackend } from '../../src/paillier/backend.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { openDatabase, storeCheckpoints } from '../../src/storage/database.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import { createThreadPool } from '../../src/threads/pool.ts';
import { systemTurns } from '../../src/threads/turns.ts';
import { version } from '../../src/version.ts';
import { createFacilitatorApp } from './app.ts';
import { facilitatorCheckpoints } from './checkpoints.ts';
import { createFacilitatorMetrics } from './metrics.ts';
import { createFacilitator } from './service.ts';
import { createUpstream } from './upstream.ts';

const command = refuseInOneLine(new Command('facilitator'), 'sealsum facilitator')
  .description('Multiply the ciphertexts of data owners and see no value.')
  .version(version);
for (const option of partyOptions('facilitator')) command.addOption(option);
const options = command.parse().opts<PartyOptions>();

await runParty('facilitator', async (signal) => {
  const clock = systemClock;
  preferBackend(process.env.SEALSUM_BACKEND);
  // Tests it now, while nobody waits.
  selectBackend();
  const checkpoint = killAt(process.env.SEALSUM_CHECKPOINT, [...facilitatorCheckpoints, ...storeCheckpoints]);
  const { config, identity, parties, log, tls, store } = await loadParty('facilitator', options, {
    clock,
    env: process.env,
    terminal: systemTerminal,
  });
  const { limits, retention, listen } = config;
  const { host, publicUrls, allowPlaintext } = listen;
  requireSafeListening({ host, tls: tls !== undefined, allowPlaintext, needsToken: false });

  const upstream = createUpstream(await upstreamAccess(config, clock.now()), { identity, clock, random: systemRandom });
  const database = await openDatabase(store, { role: 'facilitator', signal, checkpoint });
  const metrics = createFacilitatorMetrics();
  const pool = createThreadPool({
    onTrouble: (error) => {
      log.warn({ err: error }, 'work that takes long is done without threads');
    },
  });
  const release = async (): Promise<void> => {
    await upstream[Symbol.asyncDispose]();
    await pool.close();
    await database.close();
  };
  const facilitator = createFacilitator({
    identity,
    parties,
    store: createFacilitatorStore(database, createAuditLog(identity, clock)),
    clock,
    upstream: upstream.clientOf,
    turns: systemTurns,
    pool,
    log,
    random: systemRandom,
    checkpoint,
    metrics,
    limits: { contributionBytes: limits.contributionBytes },
    retention: {
      rounds: retention.rounds,
      endedJobs: retention.endedJobs,
      endedJobDays: retention.days,
      events: retention.events,
    },
  });
  let server: RunningServer | undefined;
  const authorities = (): readonly string[] => [...(server?.authorities ?? []), ...publicUrls.map(authorityOf)];
  const { dashboard, announcement } = await openDashboard(config, { clock, random: systemRandom, log, authorities });
  const app = createFacilitatorApp({
    facilitator,
    authentication: authenticate({
      parties,
      nonces: createNonceStore(database),
      clock,
      authorities,
      tolerance: config.clockToleranceSeconds * 1000,
      limiter: createLimiter(clock, {
        requestsPerSecond: limits.requestsPerSecond,
        burst: limits.burst,
        bodiesPerParty: limits.concurrentRequests,
      }),
      jsonLimit: limits.bodyBytes,
    }),
    clock,
    log,
    signal,
    bodyLimit: Math.max(limits.bodyBytes, limits.contributionBytes),
    notReady: createReadiness({ ping: () => database.ping(), store }),
    localAccess: { covers: 'metrics', authorities, loopback: isLoopback(host) },
    metrics: metrics.registry,
    origins: config.origins,
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  try {
    await facilitator.start();
    server = await startServer({
      fetch: app.fetch,
      ...listeningOf(config, tls),
      onStop: facilitator.stop,
      // Turns under way are finished, closings are parked, and then nothing needs the store any more.
      drain: () => facilitator.drained().then(release),
    });
    return { server, announcement };
  } catch (error) {
    facilitator.stop();
    await facilitator.drained();
    await release();
    throw error;
  }
});
