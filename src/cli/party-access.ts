/** How commands reach a running party: its own people by its address and token, a facilitator by requests that it signs itself. */
import { rootCertificates } from 'node:tls';
import { type Command, Option } from 'commander';
import { readTextFile } from '../config/files.ts';
import { loadParty, readAnyConfig } from '../config/load.ts';
import type { PartyConfig } from '../config/party-config.ts';
import { entryOf, readRoster } from '../config/roster-file.ts';
import { readClientTls, readServerTls } from '../config/tls-files.ts';
import { SealsumError } from '../errors.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../http/facilitator-client.ts';
import { fromProblem } from '../http/problem.ts';
import { createSignedFetch } from '../http/signed-fetch.ts';
import { type ClientTls, createTransport } from '../http/transport.ts';
import type { Identity, Role } from '../protocol/identity.ts';
import { readToken, withToken } from './access-token.ts';
import { addressIn } from './address.ts';
import { usageError } from './program.ts';
import type { ProjectServices } from './project-services.ts';

export interface AccessOptions {
  readonly config?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/** @param told what is otherwise of one command: of which party --config is, and how --url is said */
export function withAccessOptions(
  command: Command,
  told: { readonly config?: string; readonly url?: Option } = {},
): Command {
  const {
    config = 'the config.toml of the party (default: that of this folder)',
    url = new Option('--url <url>', 'where the party listens, where it is not what the configuration says'),
  } = told;
  return command
    .addOption(new Option('--config <file>', config).env('SEALSUM_CONFIG'))
    .addOption(url)
    .addOption(
      new Option('--token-file <file>', 'a file with the token that the party asks for').env('SEALSUM_TOKEN_FILE'),
    )
    .option('--ca <file>', "who signed the party's certificate (default: what the system trusts, and its own)");
}

export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string;
}

/** A running party as one of its own people asks it. */
export interface PartyAccess extends AsyncDisposable {
  readonly role: Role;
  readonly url: string;
  /** What it is told, unless only its address is known. */
  readonly config?: PartyConfig;
  /** The JSON that it answers to GET. @throws SealsumError request_failed when it does not answer, and what it refused */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  /** Whether it can do its work, and why not. */
  ready(signal: AbortSignal): Promise<Readiness>;
  /** The same for a body of JSON that is sent. */
  post(path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
}

/** Milliseconds that one answer may take. */
const patience = 60_000;

/**
 * Finds out where a party is and how to ask it.
 *
 * @throws SealsumError config_invalid; request_failed when nobody answers at an address that is all that is known; for a
 *   facilitator what loadParty() throws
 */
export async function openAccess(
  options: AccessOptions,
  services: ProjectServices,
  signal: AbortSignal,
): Promise<PartyAccess> {
  const config = await configFor(options);
  const line = await openLine(options, config, services);
  const { url, fetch: plain } = line;
  try {
    const role = config?.role ?? (await roleAt(url, plain, signal));
    if (role !== 'facilitator') return accessOf(role, line, plain, config);
    if (config === undefined)
      throw usageError(
        'a facilitator answers signed requests only: name the config.toml of this facilitator with --config',
      );
    const { identity } = await loadParty('facilitator', { config: config.file }, services);
    const { clock, random } = services;
    return accessOf(role, line, createSignedFetch({ identity, fetch: plain, clock, random }), config);
  } catch (error) {
    await line[Symbol.asyncDispose]();
    throw error;
  }
}

/** How a party's own people ask it, with the token that it asks for. */
export interface OwnLine extends AsyncDisposable {
  readonly url: string;
  readonly fetch: typeof fetch;
}

/**
 * A data owner as its own people ask it. Who answers at an address that is all that is known is not looked at.
 *
 * @throws SealsumError config_invalid, for the configuration of another party too
 */
export async function openDataOwner(
  options: AccessOptions,
  services: Pick<ProjectServices, 'clock'>,
): Promise<OwnLine> {
  const config = await configFor(options);
  if (config !== undefined && config.role !== 'data-owner')
    throw new SealsumError('config_invalid', `${config.file}: role is ${config.role}; only a data owner is asked`, {
      field: 'role',
    });
  return await openLine(options, config, services);
}

/** Undefined where nothing but an address was said. */
async function configFor({ url, config }: AccessOptions): Promise<PartyConfig | undefined> {
  return url !== undefined && config === undefined ? undefined : await readAnyConfig(config);
}

/** What is said on the command line goes before the configuration. */
async function openLine(
  { url: given, tokenFile, ca: caFile }: AccessOptions,
  config: PartyConfig | undefined,
  { clock }: Pick<ProjectServices, 'clock'>,
): Promise<OwnLine> {
  const url = given === undefined && config !== undefined ? await addressOf(config) : addressIn('--url', given ?? '');
  const ca = caFile === undefined ? undefined : await readTextFile(caFile, '--ca');
  // A facilitator takes signed requests, and is shown no token.
  const tokens = config?.role === 'facilitator' ? undefined : (tokenFile ?? config?.accessTokenFile);
  const token = tokens === undefined ? undefined : await readToken(tokens);
  const trusted = ca === undefined ? {} : { ca };
  const transport = createTransport(config === undefined ? trusted : await clientTlsOf(config, ca, clock.now()));
  return {
    url,
    fetch: token === undefined ? transport.fetch : withToken(transport.fetch, token),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

/** Who this is at the facilitator that it works with, or is. */
export interface FacilitatorConnection extends AsyncDisposable {
  readonly identity: Identity;
  readonly client: FacilitatorClient;
}

/** Speaks to the facilitator as the party does. @throws SealsumError as loadParty() */
export async function connectAsParty(config: PartyConfig, services: ProjectServices): Promise<FacilitatorConnection> {
  const { identity, facilitator } = await loadParty(config.role, { config: config.file }, services);
  const { clock, random } = services;
  const tls =
    config.role === 'facilitator' ? await clientTlsOf(config, undefined, clock.now()) : (facilitator.tls ?? {});
  const url = config.role === 'facilitator' ? await addressOf(config) : facilitator.url;
  const transport = createTransport(tls);
  const send = createSignedFetch({ identity, fetch: transport.fetch, clock, random });
  return {
    identity,
    client: createFacilitatorClient({ url, fetch: send, clock, random, patience: 0 }),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

/** Where a party answers: the address that it gives to others, or the one that it listens on. @throws SealsumError config_invalid */
export async function addressOf(config: PartyConfig): Promise<string> {
  const { port, publicUrls } = config.listen;
  const [own] = publicUrls;
  if (own !== undefined) return own;
  const known = config.role === 'facilitator' ? entryOf(await readRoster(config.roster), config.name)?.url : undefined;
  if (known !== undefined) return known;
  if (port === 0)
    throw new SealsumError(
      'config_invalid',
      `${config.file}: listen.port is 0, for any free one; say with --url where it listens`,
      { field: 'listen.port' },
    );
  return listeningUrl(config);
}

/** Where a party listens, for those on its machine: who listens everywhere listens on loopback too. */
export function listeningUrl({ listen: { host, port }, tls }: PartyConfig): string {
  const scheme = tls === undefined ? 'http' : 'https';
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${near.includes(':') ? `[${near}]` : near}:${port}`;
}

/** What a client on the machine of a party trusts and shows: it has the party's own certificates at hand. */
async function clientTlsOf(config: PartyConfig, ca: string | undefined, now: number): Promise<ClientTls> {
  const own = config.tls === undefined ? undefined : await readServerTls(config.tls, now);
  const outgoing = config.role === 'facilitator' ? undefined : await readClientTls(config.facilitator, now);
  const trusted =
    ca ?? (own === undefined ? undefined : [own.cert, outgoing?.ca ?? '', ...rootCertificates].join('\n'));
  const shown = outgoing?.cert === undefined ? own : outgoing;
  return {
    ...(trusted === undefined ? {} : { ca: trusted }),
    ...(own?.clientCa === undefined || shown?.cert === undefined || shown.key === undefined
      ? {}
      : { cert: shown.cert, key: shown.key }),
  };
}

/** Which party a server says that it is. @throws SealsumError request_failed */
async function roleAt(url: string, send: typeof fetch, signal: AbortSignal): Promise<Role> {
  const described = await answerTo(send, 'GET', `${url}/openapi.json`, 'the party', signal);
  const { title } = (described as { info?: { title?: unknown } }).info ?? {};
  const role = (
    {
      'sealsum facilitator': 'facilitator',
      'sealsum data owner': 'data-owner',
      'sealsum model owner': 'model-owner',
    } as const
  )[String(title)];
  if (role === undefined) throw new SealsumError('request_failed', `${url} is none of the parties of sealsum`);
  return role;
}

function accessOf(role: Role, line: OwnLine, send: typeof fetch, config?: PartyConfig): PartyAccess {
  const { url } = line;
  const what = `the ${role.replace('-', ' ')}`;
  return {
    role,
    url,
    ...(config === undefined ? {} : { config }),
    get: (path, signal) => answerTo(send, 'GET', url + path, what, signal),
    ready: async (signal) => {
      const { body } = await ask(send, 'GET', `${url}/readyz`, what, signal);
      const { status, reason } = (body ?? {}) as { status?: unknown; reason?: unknown };
      return { ready: status === 'ready', ...(typeof reason === 'string' ? { reason } : {}) };
    },
    post: (path, body, signal) => answerTo(send, 'POST', url + path, what, signal, body),
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}

async function answerTo(...asked: Parameters<typeof ask>): Promise<unknown> {
  const { response, body } = await ask(...asked);
  if (response.ok && body !== undefined) return body;
  throw fromProblem(body) ?? new SealsumError('request_failed', `${asked[2]} answered ${response.status}`);
}

async function ask(
  send: typeof fetch,
  method: string,
  url: string,
  what: string,
  signal: AbortSignal,
  body?: unknown,
): Promise<{ readonly response: Response; readonly body: unknown }> {
  let response: Response;
  try {
    response = await send(url, {
      method,
      signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (cause) {
    if (signal.aborted) throw new SealsumError('aborted', 'stopped', { cause });
    const { code = '' } = (cause instanceof Error ? (cause.cause as { code?: string } | undefined) : undefined) ?? {};
    const why = /CERT|SIGNATURE|ISSUER|^ERR_(TLS|SSL)_/.test(code)
      ? `its certificate is not trusted (${code}); see --ca`
      : `is ${what} running?`;
    throw new SealsumError('request_failed', `${new URL(url).origin} does not answer; ${why}`, { cause });
  }
  return { response, body: await response.json().catch(() => undefined) };
}
