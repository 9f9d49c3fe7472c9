/** config.toml: every role has a schema of its own, and what it does not know is refused by name. */
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { logLevels } from '../http/log.ts';
import { type OwnerId, ownerIdSchema, partyIdSchema } from '../protocol/identifiers.ts';
import { type Role, roles } from '../protocol/identity.ts';
import { ownerPolicy, ownerPolicySchema } from './owner-policy.ts';
import {
  type ClientConfig,
  type CommonConfig,
  type ConfigOf,
  type DashboardSettings,
  type DataOwnerConfig,
  defaultLimits,
  defaultPorts,
  defaultRetention,
  type FacilitatorConfig,
  type ModelOwnerConfig,
  type PartyConfig,
  type PartyOptions,
  type UpstreamSettings,
} from './party-config.ts';
import { queriesSchema, querySettings } from './query-settings.ts';
import { checkToml } from './toml-file.ts';
import { isLoopback, originSchema, partyUrlSchema } from './urls.ts';

const path = z.string().min(1, 'expected a path');
const count = z.number().int().min(1).max(1_000_000_000);

const commonFields = {
  name: partyIdSchema.exactOptional(),
  role: z.enum(roles),
  identity: path.default('identity.json'),
  passphrase_file: path.exactOptional(),
  roster: path.default('../roster.toml'),
  store: path.default('state.sqlite'),
  log_level: z.enum(logLevels).default('warn'),
  clock_tolerance_seconds: z.number().int().min(1).max(600).default(60),
  listen: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).exactOptional(),
      public_urls: z.array(partyUrlSchema).default([]),
      allow_plaintext: z.boolean().default(false),
    })
    .prefault({}),
  dashboard: z.strictObject({ enabled: z.boolean().exactOptional(), sessions: path.exactOptional() }).prefault({}),
  tls: z.strictObject({ certificate: path, key: path, client_ca: path.exactOptional() }).exactOptional(),
  limits: z
    .strictObject({
      requests_per_second: z.number().positive().max(1_000_000).default(defaultLimits.requestsPerSecond),
      burst: count.default(defaultLimits.burst),
      concurrent_requests: count.default(defaultLimits.concurrentRequests),
      connections: count.default(defaultLimits.connections),
      header_bytes: count.min(1024).default(defaultLimits.headerBytes),
      body_bytes: count.min(1024).default(defaultLimits.bodyBytes),
      body_seconds: count.max(86_400).default(defaultLimits.bodySeconds),
      contribution_bytes: count.min(1024).default(defaultLimits.contributionBytes),
      dataset_bytes: count.min(1024).default(defaultLimits.datasetBytes),
    })
    .prefault({}),
};

/** How another facilitator is reached. */
const lineFields = {
  ca: path.exactOptional(),
  certificate: path.exactOptional(),
  key: path.exactOptional(),
  allow_plaintext: z.boolean().default(false),
};

const clientFields = {
  ...commonFields,
  facilitator: z
    .strictObject({
      name: partyIdSchema.exactOptional(),
      url: partyUrlSchema.exactOptional(),
      ...lineFields,
    })
    .prefault({}),
  access_token_file: path.exactOptional(),
};

const facilitatorSchema = z.strictObject({
  ...commonFields,
  retention: z
    .strictObject({
      rounds: count.default(defaultRetention.rounds),
      ended_jobs: count.default(defaultRetention.endedJobs),
      events: count.default(defaultRetention.events),
      days: count.max(36_500).default(defaultRetention.days),
    })
    .prefault({}),
  browsers: z.strictObject({ origins: z.array(originSchema).default([]) }).prefault({}),
  upstream: z.array(z.strictObject({ name: partyIdSchema, url: partyUrlSchema, ...lineFields })).default([]),
});
const dataOwnerSchema = z.strictObject({
  ...clientFields,
  data: path.exactOptional(),
  datasets: path.default('datasets'),
  queries: queriesSchema,
  policy: ownerPolicySchema,
});
const modelOwnerSchema = z.strictObject({
  ...clientFields,
  evaluation_data: path.exactOptional(),
  owners: z.array(ownerIdSchema).min(1).exactOptional(),
});

const schemas = {
  facilitator: facilitatorSchema,
  'data-owner': dataOwnerSchema,
  'model-owner': modelOwnerSchema,
} as const satisfies Readonly<Record<Role, z.ZodType>>;

type CommonFields =
  | z.infer<typeof facilitatorSchema>
  | z.infer<typeof dataOwnerSchema>
  | z.infer<typeof modelOwnerSchema>;
type ClientFields = z.infer<typeof dataOwnerSchema> | z.infer<typeof modelOwnerSchema>;

/**
 * @param tables what config.toml says, as parseToml gives it
 * @param file its path
 * @throws SealsumError config_invalid naming file, field and mend
 */
export function createConfig<R extends Role>(
  role: R,
  tables: Readonly<Record<string, unknown>>,
  file: string,
  options?: PartyOptions,
): ConfigOf<R>;
export function createConfig(
  role: Role,
  tables: Readonly<Record<string, unknown>>,
  file: string,
  options: PartyOptions = {},
): PartyConfig {
  const place = new Place(resolve(file), options);
  const stated = roles.find((each) => each === tables.role);
  if (stated !== undefined && stated !== role) throw place.refuse('role', `is ${stated}; this starts a ${role}`);
  const elsewhere = (field: string): string | undefined => {
    const owners = roles.filter((each) => each !== role && field in schemas[each].shape);
    return owners.length === 0 ? undefined : `it belongs to a ${owners.join(' or ')}, and this is a ${role}`;
  };
  const check = <T>(schema: z.ZodType<T>): T => checkToml(schema, tables, file, elsewhere);
  switch (role) {
    case 'facilitator':
      return facilitatorConfig(check(facilitatorSchema), place);
    case 'data-owner':
      return dataOwnerConfig(check(dataOwnerSchema), place);
    case 'model-owner':
      return modelOwnerConfig(check(modelOwnerSchema), place);
  }
}

function facilitatorConfig(fields: z.infer<typeof facilitatorSchema>, place: Place): FacilitatorConfig {
  const { rounds, ended_jobs, events, days } = fields.retention;
  return {
    ...commonConfig(fields, 'facilitator', place),
    role: 'facilitator',
    retention: { rounds, endedJobs: ended_jobs, events, days },
    origins: fields.browsers.origins,
    upstream: fields.upstream.map((each, index) => upstreamSettings(each, fields.upstream.slice(0, index), place)),
  };
}

type UpstreamFields = z.infer<typeof facilitatorSchema>['upstream'][number];

function upstreamSettings(fields: UpstreamFields, before: readonly UpstreamFields[], place: Place): UpstreamSettings {
  const { name, url, ca, certificate, key, allow_plaintext: allowPlaintext } = fields;
  const where = `upstream ${before.length + 1}`;
  if (before.some((each) => each.name === name)) throw place.refuse(`${where}.name`, `${name} is named twice`);
  requireLine(where, fields, url, place);
  if (url.startsWith('http:') && !isLoopback(new URL(url).hostname) && !allowPlaintext)
    throw place.refuse(`${where}.url`, `is ${url}, without TLS; write https:, or say allow_plaintext = true there`);
  return { name, url, ...place.paths({ ca, certificate, key }), allowPlaintext };
}

function requireLine(
  where: string,
  { ca, certificate, key }: Pick<UpstreamFields, 'ca' | 'certificate' | 'key'>,
  url: string | undefined,
  place: Place,
): void {
  if ((certificate === undefined) !== (key === undefined))
    throw place.refuse(`${where}.key`, 'certificate and key go together: give both or neither');
  if (url?.startsWith('http:') === true && (ca ?? certificate) !== undefined)
    throw place.refuse(`${where}.url`, 'begins with http:, where ca and certificate have no use; write https:');
}

function dataOwnerConfig(fields: z.infer<typeof dataOwnerSchema>, place: Place): DataOwnerConfig {
  const data = place.either(place.options.data, fields.data);
  const policy = ownerPolicy(fields.policy, (field, why) => place.refuse(`policy.${field}`, why));
  return {
    ...clientConfig(fields, 'data-owner', place),
    role: 'data-owner',
    ...(data === undefined ? {} : { data }),
    datasets: place.path(fields.datasets),
    queries: querySettings(
      fields.queries,
      data === undefined ? undefined : basename(data),
      (field, why) => place.refuse(field, why),
      (written) => place.path(written),
    ),
    policy,
  };
}

function modelOwnerConfig(fields: z.infer<typeof modelOwnerSchema>, place: Place): ModelOwnerConfig {
  const evaluationData = place.either(place.options.data, fields.evaluation_data);
  const owners = place.options.owners === undefined ? fields.owners : ownersOf(place.options.owners);
  const twice = owners?.find((name, index) => owners.indexOf(name) !== index);
  if (twice !== undefined) throw place.refuse('owners', `${twice} is named twice`);
  return {
    ...clientConfig(fields, 'model-owner', place),
    role: 'model-owner',
    ...(evaluationData === undefined ? {} : { evaluationData }),
    ...(owners === undefined ? {} : { owners }),
  };
}

function clientConfig(fields: ClientFields, role: Role, place: Place): ClientConfig {
  const { facilitator, access_token_file } = fields;
  const { name, ca, certificate, key } = facilitator;
  const url = place.options.facilitator ?? facilitator.url;
  requireLine('facilitator', facilitator, url, place);
  const common = commonConfig(fields, role, place);
  if (access_token_file === undefined && !isLoopback(common.listen.host))
    throw place.refuse(
      'access_token_file',
      `is missing: whoever reaches ${common.listen.host} could use this party; name a file with a token, or listen on 127.0.0.1`,
    );
  return {
    ...common,
    facilitator: {
      ...(name === undefined ? {} : { name }),
      ...(url === undefined ? {} : { url }),
      ...place.paths({ ca, certificate, key }),
      allowPlaintext: facilitator.allow_plaintext,
    },
    ...place.paths({ accessTokenFile: access_token_file }),
  };
}

function commonConfig(fields: CommonFields, role: Role, place: Place): CommonConfig {
  const { options } = place;
  const { limits, listen, tls } = fields;
  const host = options.host ?? listen.host;
  if (tls === undefined && !isLoopback(host) && !listen.allow_plaintext)
    throw place.refuse(
      'tls',
      `is missing: ${host} is more than this machine; give certificate and key, or say listen.allow_plaintext = true`,
    );
  if (tls !== undefined && listen.allow_plaintext)
    throw place.refuse('listen.allow_plaintext', 'has no use beside [tls]; take one of them away');
  const name = options.name ?? fields.name;
  if (name === undefined) throw place.refuse('name', 'is missing: say what the roster calls this party');
  const store = options.store === undefined ? place.store(fields.store, place.folder) : place.store(options.store, '.');
  return {
    file: place.file,
    name: checkToml(partyIdSchema, name, '--name'),
    identity: place.path(fields.identity),
    ...place.paths({ passphraseFile: fields.passphrase_file }),
    roster: place.path(fields.roster),
    store,
    listen: {
      host,
      port: options.port ?? listen.port ?? defaultPorts[role],
      publicUrls: listen.public_urls,
      allowPlaintext: listen.allow_plaintext,
    },
    ...(tls === undefined
      ? {}
      : {
          tls: {
            certificate: place.path(tls.certificate),
            key: place.path(tls.key),
            ...place.paths({ clientCa: tls.client_ca }),
          },
        }),
    logLevel: options.logLevel ?? fields.log_level,
    clockToleranceSeconds: fields.clock_tolerance_seconds,
    limits: {
      requestsPerSecond: limits.requests_per_second,
      burst: limits.burst,
      concurrentRequests: limits.concurrent_requests,
      connections: limits.connections,
      headerBytes: limits.header_bytes,
      bodyBytes: limits.body_bytes,
      bodySeconds: limits.body_seconds,
      contributionBytes: limits.contribution_bytes,
      datasetBytes: limits.dataset_bytes,
    },
    dashboard: dashboardSettings(fields, host, store, place),
  };
}

/** On unless said otherwise, but never where its cookie would travel in the clear. */
function dashboardSettings(
  { dashboard, tls, listen }: CommonFields,
  host: string,
  store: string,
  place: Place,
): DashboardSettings {
  if (dashboard.enabled === false) return { enabled: false };
  const secure = tls !== undefined || listen.public_urls.some((url) => url.startsWith('https:'));
  if (!secure && !isLoopback(host)) {
    const reason = `whoever signs in at ${host} would do so without TLS; give [tls], or an https: address in listen.public_urls where something in front does TLS`;
    if (dashboard.enabled === true) throw place.refuse('dashboard.enabled', `is true, and ${reason}`);
    return { enabled: false, reason };
  }
  return { enabled: true, secure, ...place.paths({ sessions: dashboard.sessions ?? sessionsBeside(store, place) }) };
}

/** Beside the store, which is where a party may write; beside config.toml where the store is a database elsewhere. */
function sessionsBeside(store: string, place: Place): string | undefined {
  if (store === ':memory:') return undefined;
  return resolve(
    store.includes('://') ? place.folder : dirname(store),
    `${basename(store.includes('://') ? 'state' : store, '.sqlite')}.sessions.json`,
  );
}

/** What stands on the command line is checked like what stands in the file. */
function ownersOf(names: string): OwnerId[] {
  return names.split(',').map((name) => checkToml(ownerIdSchema, name.trim(), '--owners'));
}

/** Where a configuration stands, and what the command line said beside it. */
class Place {
  readonly file: string;
  readonly folder: string;
  readonly options: PartyOptions;

  constructor(file: string, options: PartyOptions) {
    this.file = file;
    this.folder = dirname(file);
    this.options = options;
  }

  /** A path of the file, which is relative to it. */
  path(written: string): string {
    return resolve(this.folder, written);
  }

  /** The paths that there are. */
  paths<K extends string>(written: Readonly<Record<K, string | undefined>>): { readonly [name in K]?: string } {
    const found: { [name in K]?: string } = {};
    for (const name of Object.keys(written) as K[]) {
      const each = written[name];
      if (each !== undefined) found[name] = this.path(each);
    }
    return found;
  }

  /** The path that the command line said, or else the one of the file. */
  either(said: string | undefined, written: string | undefined): string | undefined {
    return said === undefined ? written && this.path(written) : resolve(said);
  }

  /** A store's path made absolute, or its URL. */
  store(written: string, folder: string): string {
    if (written === ':memory:' || /^postgres(ql)?:\/\//.test(written)) return written;
    if (written.includes('://')) throw this.refuse('store', 'expected a path, or a URL that begins with postgres://');
    return resolve(folder, written);
  }

  refuse(field: string, why: string): SealsumError {
    return new SealsumError('config_invalid', `${this.file}: ${field} ${why}`, { field });
  }
}
