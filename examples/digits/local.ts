/** The network on one machine: the facilitator as a process, model owner and data owners in this one, over real sockets. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PartyProcess, startParty } from '../../scripts/demo/party.ts';
import { createLocalProject, localNames } from '../../src/config/project.ts';
import {
  Client,
  Controller,
  createKeyChecks,
  memoryClientStore,
  ownerIdSchema,
  partiesOf,
  SealsumError,
  systemRandom,
} from '../../src/index.ts';
import { type DigitsConfig, defaultTraining, type Training } from './config.ts';
import { dealOut, digitsOf, type Row, writeDigits } from './data.ts';
import { plainSum } from './federated.ts';
import {
  gradientOf,
  type Progress,
  runDataOwner,
  runModelOwner,
  type TrainedNetwork,
  trainNetwork,
} from './network-training.ts';

export interface LocalOptions {
  readonly training: readonly Row[];
  readonly test: readonly Row[];
  readonly owners: number;
  readonly settings: Training;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

export interface LocalRun extends TrainedNetwork {
  /** The greatest difference of a parameter from the same training on sums that were never encrypted. */
  readonly differenceFromPlaintext: number;
}

export async function trainLocally(options: LocalOptions): Promise<LocalRun> {
  const { settings, test } = options;
  const shares = dealOut(options.training, options.owners);
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-digits-'));
  let facilitator: PartyProcess | undefined;
  try {
    const names = ownerNames(options.owners);
    const ports = { facilitator: 0, modelOwner: 0, firstOwner: 0 };
    const project = await createLocalProject({ folder, owners: names, ports, passphrase: 'random' }, systemRandom);
    const config = join(folder, localNames.facilitator, 'config.toml');
    facilitator = startParty(localNames.facilitator, 'facilitator', ['--config', config]);
    const url = await facilitator.url;
    const trained = await trainAll(options, shares, project, url);
    const plain = await trainNetwork(
      plainSum(shares.map((rows) => gradientOf(settings, digitsOf(rows)))),
      settings,
      test,
    );
    const differences = trained.parameters.map((value, index) => Math.abs(value - (plain.parameters[index] ?? 0)));
    return { ...trained, differenceFromPlaintext: Math.max(...differences) };
  } finally {
    await facilitator?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function trainAll(
  { settings, test, onProgress, signal }: LocalOptions,
  shares: readonly (readonly Row[])[],
  { parties, roster }: Awaited<ReturnType<typeof createLocalProject>>,
  facilitator: string,
): Promise<TrainedNetwork> {
  // Whoever fails ends the others.
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const shared = { facilitator, parties: partiesOf(roster), signal: until };
  const owners = parties.map(({ identity }) => identity).filter(({ role }) => role === 'data-owner');
  const modelOwner = parties.map(({ identity }) => identity).find(({ role }) => role === 'model-owner');
  if (modelOwner === undefined) throw new SealsumError('internal', 'the project has no model owner');
  // Whoever is in one process verifies the proof of the key once.
  const keys = createKeyChecks();
  const clients = owners.map((identity) => new Client({ ...shared, identity, store: memoryClientStore(), keys }));
  await using controller = await Controller.create({ ...shared, identity: modelOwner });
  try {
    const working = clients.map((client, index) =>
      runDataOwner(client, settings, modelOwner.name, shares[index] ?? [], { signal: until }),
    );
    const roster = owners.map(({ name }) => name);
    const training = runModelOwner(controller, settings, roster, test, { signal: until, onProgress });
    const [trained] = await Promise.all([training, ...working]);
    return trained;
  } finally {
    stop.abort();
    for (const client of clients) await client.close();
  }
}

function ownerNames(owners: number): ReturnType<typeof ownerIdSchema.parse>[] {
  return Array.from({ length: owners }, (_, index) => ownerIdSchema.parse(`owner-${index + 1}`));
}

export interface Prepared {
  readonly folder: string;
  readonly training: readonly Row[];
  readonly test: readonly Row[];
  readonly owners: number;
  readonly settings: Partial<Training>;
  /** The facilitator's port. */
  readonly port: number;
}

/**
 * Everything for a trial of config.json on this machine: a project with an identity for every party, the data dealt out, and the
 * configuration that names it all.
 *
 * @returns the path of config.json
 * @throws SealsumError config_invalid when there is a project already
 */
export async function prepareFolder({ folder, training, test, owners, settings, port }: Prepared): Promise<string> {
  const names = ownerNames(owners);
  const shares = dealOut(training, owners);
  const ports = { facilitator: port, modelOwner: 0, firstOwner: 0 };
  await mkdir(folder, { recursive: true });
  await createLocalProject(
    { folder: join(folder, 'project'), owners: names, ports, passphrase: 'random' },
    systemRandom,
  );
  for (const [index, rows] of shares.entries()) await writeDigits(join(folder, `${names[index] ?? ''}.csv`), rows);
  await writeDigits(join(folder, 'test.csv'), test);
  const config: DigitsConfig = {
    project: 'project',
    facilitator: { name: localNames.facilitator, url: `http://127.0.0.1:${port}` },
    model_owner: { name: localNames.modelOwner, data: 'test.csv' },
    data_owners: Object.fromEntries(names.map((name) => [name, { data: `${name}.csv` }])),
    training: { ...defaultTraining, ...settings },
  };
  const path = join(folder, 'config.json');
  await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`);
  return path;
}
