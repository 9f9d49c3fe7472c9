#!/usr/bin/env node
/** A model owner as a process. */
import { Command } from 'commander';
import { Registry } from 'prom-client';
import { openDashboard } from '../../src/config/dashboard.ts';
import { statDataFile } from '../../src/config/files.ts';
import { listeningOf } from '../../src/config/listening.ts';
import { loadParty } from '../../src/config/load.ts';
import type { PartyOptions } from '../../src/config/party-config.ts';
import { partyOptions } from '../../src/config/party-options.ts';
import { systemTerminal } from '../../src/config/terminal.ts';
import { authorityOf, isLoopback } from '../../src/http/authority.ts';
import { killAt } from '../../src/http/checkpoint-kill.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { collectOften, refuseInOneLine, runParty } from '../../src/http/party-process.ts';
import { createReadiness } from '../../src/http/readiness.ts';
import { type RunningServer, startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport, requireSafeListening } from '../../src/http/transport.ts';
import { preferBackend, selectBackend } from '../../src/paillier/backend.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { openDatabase, storeCheckpoints } from '../../src/storage/database.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createThreadPool } from '../../src/threads/pool.ts';
import { version } from '../../src/version.ts';
import { createModelOwnerApp } from './app.ts';
import { modelOwnerCheckpoints } from './checkpoints.ts';
import { createMeasures } from './measures.ts';
import { createModelOwner } from './service.ts';

const command = refuseInOneLine(new Command('model-owner'), 'sealsum model owner')
  .description('Take model.json files, train them on encrypted gradients, predict.')
  .version(version);
for (const option of partyOptions('model-owner')) command.addOption(option);
const options = command.parse().opts<PartyOptions>();

collectOften();
await runParty('model owner', async (signal) => {
  const clock = systemClock;
  const random = systemRandom;
  preferBackend(process.env.SEALSUM_BACKEND);
  // Tests it now, while nobody waits.
  selectBackend();
  const checkpoint = killAt(process.env.SEALSUM_CHECKPOINT, [...modelOwnerCheckpoints, ...storeCheckpoints]);
  const { config, identity, storageKey, parties, log, tls, facilitator, accessToken, ...party } = await loadParty(
    'model-owner',
    options,
    { clock, env: process.env, terminal: systemTerminal },
  );
  const { host, publicUrls, allowPlaintext } = config.listen;
  requireSafeListening({ host, tls: tls !== undefined, allowPlaintext, needsToken: true, localToken: accessToken });
  const { evaluationData: evaluationFile, owners: roster, limits } = config;
  if (evaluationFile !== undefined) await statDataFile(evaluationFile, 'evaluation_data');

  const database = await openDatabase(party.store, { role: 'model-owner', signal, checkpoint });
  const transport = createTransport(facilitator.tls);
  const signedFetch = createSignedFetch({ identity, fetch: transport.fetch, clock, random });
  const pool = createThreadPool({
    onTrouble: (error) => {
      log.warn({ err: error }, 'work that takes long is done without threads');
    },
  });
  const store = createModelStore(database, createAuditLog(identity, clock));
  const metrics = new Registry();
  const modelOwner = createModelOwner({
    identity,
    parties,
    facilitator: facilitator.name,
    connect: (patience) =>
      createFacilitatorClient({ url: facilitator.url, fetch: signedFetch, clock, random, patience }),
    store,
    storageKey,
    clock,
    log,
    signal,
    random,
    pool,
    measures: createMeasures(metrics, store),
    checkpoint,
    ...(roster === undefined ? {} : { roster }),
    ...(evaluationFile === undefined ? {} : { evaluationFile }),
  });
  let server: RunningServer | undefined;
  const authorities = (): readonly string[] => [...(server?.authorities ?? []), ...publicUrls.map(authorityOf)];
  const { dashboard, announcement } = await openDashboard(config, { clock, random, log, authorities });
  const app = createModelOwnerApp({
    modelOwner,
    clock,
    log,
    signal,
    access: {
      token: accessToken,
      authorities,
      loopback: isLoopback(host),
    },
    notReady: createReadiness({ ping: () => database.ping(), store: party.store }),
    metrics,
    bodyLimit: limits.bodyBytes,
    ...(dashboard === undefined ? {} : { dashboard }),
  });
  const release = async (): Promise<void> => {
    await pool.close();
    await transport[Symbol.asyncDispose]();
    await database.close();
  };
  try {
    await modelOwner.start();
    server = await startServer({
      fetch: app.fetch,
      ...listeningOf(config, tls),
      drain: () => modelOwner.idle().then(release),
    });
    return { server, announcement };
  } catch (error) {
    await release();
    throw error;
  }
});
