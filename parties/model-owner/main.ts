#!/usr/bin/env node
/** A model owner as a process. */
import { stat } from 'node:fs/promises';
import { Option } from 'commander';
import { SealsumError } from '../../src/errors.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createLog } from '../../src/http/log.ts';
import { type CommonOptions, facilitatorOption, partyCommand, runParty } from '../../src/http/party-process.ts';
import { parseMessage } from '../../src/http/problem.ts';
import { startServer } from '../../src/http/server.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
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

function parseRoster(names: string | undefined): OwnerId[] | undefined {
  const roster = names?.split(',').map((name) => parseMessage(ownerIdSchema, name.trim(), '--owners'));
  const twice = roster?.find((name, index) => roster.indexOf(name) !== index);
  if (twice === undefined) return roster;
  throw new SealsumError('message_invalid', `--owners: ${twice} is named twice`, { field: '--owners' });
}

async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new SealsumError('data_invalid', `the data file ${path} cannot be read`, { field: 'data', cause });
  });
  if (!found.isFile()) throw new SealsumError('data_invalid', `${path} is not a file`, { field: 'data' });
}

await runParty('model owner', async (signal) => {
  const roster = parseRoster(options.owners);
  const evaluationFile = options.data;
  if (evaluationFile !== undefined) await requireFile(evaluationFile);
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
