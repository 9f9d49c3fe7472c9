#!/usr/bin/env node
/** A model owner as a process. */
import { access } from 'node:fs/promises';
import { Option } from 'commander';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type CommonOptions, facilitatorOption, partyCommand, runParty } from '../../src/http/party-process.ts';
import { parseMessage } from '../../src/http/problem.ts';
import { startServer } from '../../src/http/server.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { createMemoryModelStore } from '../../src/storage/model-store.ts';
import { createModelOwnerApp } from './app.ts';
import { createModelOwner } from './service.ts';

interface ModelOwnerOptions extends CommonOptions {
  readonly facilitator: string;
  readonly data?: string;
  readonly owners?: string;
}

const options = partyCommand('model-owner', 'Take model.json files, train them on encrypted gradients, predict.', 9090)
  .addOption(facilitatorOption())
  .addOption(new Option('--data <file>', 'rows that every finished model predicts').env('SEALSUM_EVALUATION_DATA'))
  .addOption(
    new Option(
      '--owners <names>',
      'the roster, separated by commas; without it, the owners connected to the facilitator',
    ).env('SEALSUM_OWNERS'),
  )
  .parse()
  .opts<ModelOwnerOptions>();

await runParty('model owner', async (signal) => {
  const roster = options.owners?.split(',').map((name) => parseMessage(ownerIdSchema, name.trim(), '--owners'));
  const evaluationFile = options.data;
  if (evaluationFile !== undefined)
    await access(evaluationFile).catch((cause: unknown) => {
      throw new SealsumError('data_invalid', `the data file ${evaluationFile} cannot be read`, {
        field: 'data',
        cause,
      });
    });
  const log = createLog('model owner', options.logLevel);
  const modelOwner = createModelOwner({
    client: createFacilitatorClient({ url: options.facilitator, fetch, clock: systemClock }),
    store: createMemoryModelStore(),
    clock: systemClock,
    log,
    signal,
    ...(roster === undefined ? {} : { roster }),
    ...(evaluationFile === undefined ? {} : { evaluationFile }),
  });
  const app = createModelOwnerApp({ modelOwner, clock: systemClock, log, signal });
  return startServer({ fetch: app.fetch, port: options.port, host: options.host, drain: () => modelOwner.idle() });
});
