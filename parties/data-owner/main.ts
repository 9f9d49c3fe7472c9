#!/usr/bin/env node
/** A data owner as a process. */
import { Option } from 'commander';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type CommonOptions, facilitatorOption, partyCommand, runParty } from '../../src/http/party-process.ts';
import { parseMessage } from '../../src/http/problem.ts';
import { startServer } from '../../src/http/server.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { createMemoryDataOwnerStore } from '../../src/storage/data-owner-store.ts';
import { createMemoryLedgerStore } from '../../src/storage/memory-ledger-store.ts';
import { createDataOwnerApp } from './app.ts';
import { openDataset } from './dataset.ts';
import { createDataOwner } from './service.ts';

interface DataOwnerOptions extends CommonOptions {
  readonly facilitator: string;
  readonly name: string;
  readonly data: string;
}

const options = partyCommand('data-owner', 'Compute on your own records, encrypt, and contribute to sums.', 5000)
  .addOption(facilitatorOption())
  .addOption(
    new Option('--name <owner>', 'the name of this owner on rosters').env('SEALSUM_OWNER').makeOptionMandatory(),
  )
  .addOption(new Option('--data <file>', 'the CSV or TSV file').env('SEALSUM_DATA').makeOptionMandatory())
  .parse()
  .opts<DataOwnerOptions>();

await runParty('data owner', async (signal, fail) => {
  const owner = parseMessage(ownerIdSchema, options.name, '--name');
  const log = createLog(`data-owner ${owner}`, options.logLevel);
  const dataset = await openDataset(options.data);
  const ledgerStore = createMemoryLedgerStore();
  const ledger = createLedger(ledgerStore, () => new Date(systemClock.now()));
  const client = createFacilitatorClient({ url: options.facilitator, fetch, clock: systemClock });
  const store = createMemoryDataOwnerStore();
  const dataOwner = createDataOwner({ owner, client, dataset, store, ledger, clock: systemClock, log, signal });
  const facilitatorUrl = options.facilitator;
  const app = createDataOwnerApp({ owner, facilitatorUrl, dataOwner, ledger, ledgerStore, log, signal });
  const server = await startServer({ fetch: app.fetch, port: options.port, host: options.host });
  dataOwner.run().catch((cause: unknown) => {
    const why = cause instanceof SealsumError ? cause.message : 'an unexpected error; see the log';
    log.error({ err: cause }, 'following the facilitator failed');
    fail(new SealsumError('request_failed', `${facilitatorUrl} does not take this owner: ${why}`, { cause }));
  });
  return server;
});
