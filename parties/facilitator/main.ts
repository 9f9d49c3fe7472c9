#!/usr/bin/env node
/** The facilitator as a process. */
import { createLog } from '../../src/http/log.ts';
import { type CommonOptions, partyCommand, runParty } from '../../src/http/party-process.ts';
import { startServer } from '../../src/http/server.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { createMemoryFacilitatorStore } from '../../src/storage/memory-facilitator-store.ts';
import { createFacilitatorApp } from './app.ts';
import { createFacilitator } from './service.ts';

const options = partyCommand('facilitator', 'Multiply the ciphertexts of data owners and see no value.', 8080)
  .parse()
  .opts<CommonOptions>();

await runParty('facilitator', (signal) => {
  const log = createLog('facilitator', options.logLevel);
  const facilitator = createFacilitator({ store: createMemoryFacilitatorStore(), clock: systemClock, log });
  const app = createFacilitatorApp({ facilitator, clock: systemClock, log, signal });
  return startServer({ fetch: app.fetch, port: options.port, host: options.host, onStop: facilitator.stop });
});
