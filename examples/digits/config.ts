/** One file for all hosts: who takes part, on which host, with which data, and what is trained. Nothing in it is secret. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { parseMessage } from '../../src/http/problem.ts';
import { SealsumError } from '../../src/index.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'expected a name such as owner-1');
const text = z.string().min(1, 'expected a text');
const url = z.string().refine((value) => URL.canParse(value) && /^https?:/.test(value), 'expected an http(s) address');

/** How the network is trained. */
export interface Training {
  /** Units of the hidden layer. */
  readonly hidden: number;
  readonly rounds: number;
  readonly learning_rate: number;
  /** Of the first weights. */
  readonly seed: number;
  readonly key_bits: number;
  /** The least number of owners in a sum. */
  readonly quorum: number;
  /** How long a round waits for all of them. */
  readonly deadline_seconds: number;
}

export interface DigitsConfig {
  /** The folder, on every host, that `sealsum init` or `join` made: roster.toml, and NAME/config.toml of each party here. */
  readonly project: string;
  readonly facilitator: { readonly name: string; readonly host?: string | undefined; readonly url: string };
  /** `data`: the images that the network is tested on. */
  readonly model_owner: { readonly name: string; readonly host?: string | undefined; readonly data: string };
  /** By name; `data`: the owner's own images, on its host. */
  readonly data_owners: Readonly<Record<string, { readonly host?: string | undefined; readonly data: string }>>;
  readonly training: Training;
}

const training: z.ZodType<Training> = z.strictObject({
  hidden: z.number().int().min(1).max(1024).default(32),
  rounds: z.number().int().min(1).max(10_000).default(48),
  learning_rate: z.number().positive().default(0.05),
  seed: z.number().int().min(0).default(1),
  key_bits: z.number().int().default(3072),
  quorum: z.number().int().min(2).default(2),
  deadline_seconds: z.number().positive().default(60),
});

const schema: z.ZodType<DigitsConfig> = z.strictObject({
  project: text.default('project'),
  facilitator: z.strictObject({ name: name.default('facilitator'), host: text.optional(), url }),
  model_owner: z.strictObject({ name: name.default('model-owner'), host: text.optional(), data: text }),
  data_owners: z
    .record(name, z.strictObject({ host: text.optional(), data: text }))
    .refine((owners) => Object.keys(owners).length >= 2, 'expected two data owners at least'),
  training: training.prefault({}),
});

export const defaultTraining: Training = training.parse({});

export type Part =
  | { readonly role: 'facilitator'; readonly name: string }
  | { readonly role: 'model-owner' | 'data-owner'; readonly name: string; readonly data: string };

/** @throws SealsumError config_invalid naming file and field */
export async function readDigitsConfig(path: string): Promise<DigitsConfig> {
  const content = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SealsumError('config_invalid', `${path} cannot be read`, { field: '--config', cause });
  });
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (cause) {
    throw new SealsumError('config_invalid', `${path} is not JSON: ${(cause as Error).message}`, {
      field: '--config',
      cause,
    });
  }
  let config: DigitsConfig;
  try {
    config = parseMessage(schema, json, path);
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    const { message, field } = error;
    throw new SealsumError('config_invalid', message, field === undefined ? {} : { field });
  }
  const folder = dirname(resolve(path));
  const within = (file: string): string => resolve(folder, file);
  return {
    ...config,
    project: within(config.project),
    model_owner: { ...config.model_owner, data: within(config.model_owner.data) },
    data_owners: Object.fromEntries(
      Object.entries(config.data_owners).map(([owner, each]) => [owner, { ...each, data: within(each.data) }]),
    ),
  };
}

/**
 * Which party is meant.
 *
 * @param as its name; unless given, the one party whose `host` is this machine's name
 * @throws SealsumError party_unknown naming who there is
 */
export function partOf(config: DigitsConfig, as: string | undefined): Part {
  const { facilitator, model_owner, data_owners } = config;
  const all: readonly (Part & { readonly host?: string | undefined })[] = [
    { role: 'facilitator', ...facilitator },
    { role: 'model-owner', ...model_owner },
    ...Object.entries(data_owners).map(([owner, each]) => ({ role: 'data-owner' as const, name: owner, ...each })),
  ];
  const names = all.map((each) => each.name).join(', ');
  const found = all.filter((each) => (as === undefined ? each.host === hostname() : each.name === as));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new SealsumError(
    'party_unknown',
    as === undefined
      ? `--as: ${found.length === 0 ? 'no party has' : 'several parties have'} this machine, ${hostname()}, as host; name one of ${names}`
      : `--as: the configuration has ${found.length === 0 ? 'no party' : 'two parties'} called ${as}; its parties are ${names}`,
    { field: '--as' },
  );
}

/** The configuration that sealsum's own commands made for a party. */
export function partyConfigOf({ project }: DigitsConfig, party: string): string {
  return join(project, party, 'config.toml');
}
