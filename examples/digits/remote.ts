/** One party of config.json, on its host. Its identity, roster and certificates are those of its own config.toml. */
import { basename } from 'node:path';
import { startParty } from '../../scripts/demo/party.ts';
import { readTextFile } from '../../src/config/files.ts';
import { type LoadedParty, loadParty } from '../../src/config/load.ts';
import type { PolicyTable } from '../../src/config/owner-policy.ts';
import { systemTerminal } from '../../src/config/terminal.ts';
import { parseToml } from '../../src/config/toml-file.ts';
import { createTransport } from '../../src/http/transport.ts';
import { Client, Controller, openClientStore, SealsumError, systemClock } from '../../src/index.ts';
import { type DigitsConfig, type Part, partyConfigOf } from './config.ts';
import { readDigits } from './data.ts';
import { type Progress, runDataOwner, runModelOwner, type TrainedNetwork } from './network-training.ts';

export interface RemoteOptions {
  readonly config: DigitsConfig;
  readonly signal: AbortSignal;
  /** Told what happens, a line at a time. */
  readonly onStep: (line: string) => void;
  readonly onProgress: (progress: Progress) => void;
}

/** What a party has done: a model owner has trained, a data owner has contributed to so many rounds. */
export type Outcome =
  | { readonly role: 'facilitator' }
  | { readonly role: 'data-owner'; readonly rounds: number }
  | { readonly role: 'model-owner'; readonly trained: TrainedNetwork };

/** Runs a facilitator until the signal, another party until the training is over. @throws SealsumError what its part throws */
export async function runPart(part: Part, options: RemoteOptions): Promise<Outcome> {
  switch (part.role) {
    case 'facilitator':
      await runFacilitator(part.name, options);
      return { role: 'facilitator' };
    case 'data-owner':
      return { role: 'data-owner', rounds: await runOwner(part, options) };
    case 'model-owner':
      return { role: 'model-owner', trained: await runTraining(part, options) };
  }
}

async function runFacilitator(name: string, { config, signal, onStep }: RemoteOptions): Promise<void> {
  const { hostname, port, protocol } = new URL(config.facilitator.url);
  const facilitator = startParty(name, 'facilitator', ['--config', partyConfigOf(config, name)]);
  try {
    onStep(
      `${name} listens at ${await facilitator.url}; the others look for it at ${protocol}//${hostname}${port && `:${port}`}`,
    );
    const said = await unlessStopped(facilitator.ended, signal);
    if (said !== undefined) throw new SealsumError('request_failed', `${name} has ended: ${said}`);
  } finally {
    await facilitator.stop();
  }
}

/** Undefined when the signal fires first. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener(
      'abort',
      () => {
        resolve(undefined);
      },
      { once: true },
    );
  });
  return Promise.race([work, stopped]);
}

async function runOwner({ name, data }: Partner, options: RemoteOptions): Promise<number> {
  const { config, signal, onStep } = options;
  const rows = await readDigits({ path: data }, signal);
  const file = partyConfigOf(config, name);
  const { parties, identity, store, facilitator } = await load('data-owner', { name, data }, config);
  // What the owner agrees to stands in its config.toml.
  const { policy = {} } = parseToml(await readTextFile(file, '--config'), file) as { readonly policy?: PolicyTable };
  await using transport = createTransport(facilitator.tls);
  await using kept = await openClientStore(store, identity);
  const line = { facilitator: facilitator.url, facilitatorName: facilitator.name, fetch: transport.fetch, signal };
  await using client = new Client({ ...line, identity, parties, store: kept, policy, dataset: basename(data) });
  onStep(`${name}: ${rows.length} images; waiting for a training`);
  const onRound = (round: number): void => {
    if (round % 8 === 0) onStep(`${name}: contributed to round ${round}`);
  };
  return await runDataOwner(client, config.training, config.model_owner.name, rows, { signal, onRound });
}

async function runTraining({ name, data }: Partner, options: RemoteOptions): Promise<TrainedNetwork> {
  const { config, signal, onStep } = options;
  const test = await readDigits({ path: data }, signal);
  const { parties, identity, facilitator } = await load('model-owner', { name, data }, config);
  await using transport = createTransport(facilitator.tls);
  const line = { facilitator: facilitator.url, facilitatorName: facilitator.name, fetch: transport.fetch, signal };
  await using controller = await Controller.create({ ...line, identity, parties });
  const roster = Object.keys(config.data_owners);
  onStep(`${name}: proposing a training to ${roster.join(', ')}`);
  return await runModelOwner(controller, config.training, roster, test, options);
}

type Partner = { readonly name: string; readonly data: string };

function load(role: 'data-owner' | 'model-owner', { name, data }: Partner, config: DigitsConfig): Promise<LoadedParty> {
  const options = { config: partyConfigOf(config, name), facilitator: config.facilitator.url, data };
  return loadParty(role, options, { clock: systemClock, env: process.env, terminal: systemTerminal });
}
