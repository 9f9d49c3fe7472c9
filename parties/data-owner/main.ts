#!/usr/bin/env node
/** A data owner as a process. */
import { Command } from 'commander';
import { Registry } from 'prom-client';
import { openDashboard } from '../../src/config/dashboard.ts';
import { listeningOf } from '../../src/config/listening.ts';
import { loadParty } from '../../src/config/load.ts';
import type { PartyOptions } from '../../src/config/party-config.ts';
import { partyOptions } from '../../src/config/party-options.ts';
import { openQuery } from '../../src/config/query-settings.ts';
import { systemTerminal } from '../../src/config/terminal.ts';
import { dataOwnerCheckpoints } from '../../src/contributing/checkpoints.ts';
import { SealsumError } from '../../src/errors.ts';
import { authorityOf, isLoopback } from '../../src/http/authority.ts';
import { killAt } from '../../src/http/checkpoint-kill.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { collectOften, refuseInOneLine, runParty } from '../../src/http/party-process.ts';
import { createReadiness } from '../../src/http/readiness.ts';
import { startServer } from '../../src/http/server.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport, requireSafeListening } from '../../src/http/transport.ts';
import { preferBackend, selectBackend } from '../../src/paillier/backend.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { openDatabase, storeCheckpoints } from '../../src/storage/database.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createThreadPool } from '../../src/threads/pool.ts';
import { version } from '../../src/version.ts';
import { createDataOwnerApp } from './app.ts';
import { openDatasets } from './datasets.ts';
import { createOwnerMeter, registerOwnerGauges } from './metrics.ts';
import { createDataOwner } from './service.ts';

const command = refuseInOneLine(new Command('data-owner'), 'sealsum data owner')
  .description('Compute on your own records, encrypt, and contribute to sums.')
  .version(version);
for (const option of partyOptions('data-owner')) command.addOption(option);
const options = command.parse().opts<PartyOptions>();

collectOften();
await runParty('data owner', async (signal, fail) => {
  const clock = systemClock;
  const random = systemRandom;
  preferBackend(process.env.SEALSUM_BACKEND);
  // Tests it now, while nobody waits.
  selectBackend();
  const checkpoint = killAt(process.env.SEALSUM_CHECKPOINT, [...dataOwnerCheckpoints, ...storeCheckpoints]);
  const { config, identity, storageKey, parties, log, tls, facilitator, accessToken, ...party } = await loadParty(
    'data-owner',
    options,
    { clock, env: process.env, terminal: systemTerminal },
  );
  const { host, publicUrls, allowPlaintext } = config.listen;
  requireSafeListening({ host, tls: tls !== undefined, allowPlaintext, needsToken: true, localToken: accessToken });
  const queries = await Promise.all(config.queries.map(openQuery));
  const datasets = await openDatasets({ file: config.data, queries, folder: config.datasets });
  if (datasets.names().length === 0) log.warn('there is no data set yet; upload one with POST /datasets');

  const database = await openDatabase(party.store, { role: 'data-owner', signal, checkpoint });
  const transport = createTransport(facilitator.tls);
  const pool = createThreadPool({
    onTrouble: (error) => {
      log.warn({ err: error }, 'work that takes long is done without threads');
    },
  });
  const release = async (): Promise<void> => {
    await pool.close();
    await transport[Symbol.asyncDispose]();
    await database.close();
  };
  try {
    const ledgerStore = createLedgerStore(database);
    const ledger = createLedger(ledgerStore, () => new Date(clock.now()));
    const metrics = new Registry();
    const signedFetch = createSignedFetch({ identity, fetch: transport.fetch, clock, random });
    const dataOwner = await createDataOwner({
      identity,
      facilitator: facilitator.name,
      parties,
      storageKey,
      client: createFacilitatorClient({ url: facilitator.url, fetch: signedFetch, clock, random }),
      datasets,
      store: createDataOwnerStore(database, createAuditLog(identity, clock)),
      ledger,
      policy: config.policy,
      clock,
      log,
      signal,
      random,
      pool,
      meter: createOwnerMeter(metrics),
      checkpoint,
    });
    registerOwnerGauges(metrics, ledger, dataOwner);
    let names: readonly string[] = publicUrls.map(authorityOf);
    const authorities = (): readonly string[] => names;
    const { dashboard, announcement } = await openDashboard(config, { clock, random, log, authorities });
    const app = createDataOwnerApp({
      owner: identity.name,
      facilitator,
      dataOwner,
      ledgerStore,
      datasets,
      policy: config.policy,
      log,
      signal,
      storeTrouble: createReadiness({ ping: () => database.ping(), store: party.store }),
      localAccess: {
        token: accessToken,
        authorities,
        loopback: isLoopback(host),
      },
      metrics,
      pool,
      bodyLimit: config.limits.datasetBytes,
      ...(dashboard === undefined ? {} : { dashboard }),
    });
    let following: Promise<void> = Promise.resolve();
    const server = await startServer({
      fetch: app.fetch,
      ...listeningOf(config, tls),
      drain: async () => {
        await following;
        await dataOwner.idle();
        await release();
      },
    });
    names = [...names, ...server.authorities];
    following = dataOwner.run().catch((cause: unknown) => {
      const known = cause instanceof SealsumError;
      const why = known ? cause.message : 'an unexpected error; see the log';
      if (!known) log.error({ err: cause }, 'following the facilitator failed');
      fail(new SealsumError('request_failed', `${facilitator.url} does not take this owner: ${why}`, { cause }));
    });
    return { server, announcement };
  } catch (error) {
    await release();
    throw error;
  }
});
