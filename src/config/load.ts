/** A party from its files: configuration, identity, roster, certificates, all read and checked before it says a word. */
import { resolve } from 'node:path';
import { SealsumError } from '../errors.ts';
import { createLog, type Logger } from '../http/log.ts';
import type { ClientTls, ServerTls } from '../http/transport.ts';
import type { Clock } from '../protocol/clock.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { type Identity, type Role, roles } from '../protocol/identity.ts';
import type { Parties } from '../protocol/parties.ts';
import { createConfig } from './config-file.ts';
import { exists, readPrivateFile, readTextFile } from './files.ts';
import { oldIdentityFile, readSecrets, type Secrets } from './identity-file.ts';
import type { ConfigOf, FacilitatorSettings, PartyConfig, PartyOptions } from './party-config.ts';
import { existingPassphrase } from './passphrase.ts';
import { protectPasswords } from './query-settings.ts';
import { entryOf, type Roster } from './roster-file.ts';
import type { Terminal } from './terminal.ts';
import { readClientTls, readServerTls } from './tls-files.ts';
import { parseToml } from './toml-file.ts';
import { isLoopback } from './urls.ts';
import { watchRoster } from './watch-roster.ts';

export interface LoadServices {
  readonly clock: Clock;
  /** Of the process; nothing but the passphrase is read from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  /** For tests that read what is logged. */
  readonly createLog?: typeof createLog;
}

/** Which facilitator a party works with, and how it gets there. */
export interface FacilitatorAccess {
  readonly name: PartyId;
  readonly url: string;
  readonly tls?: ClientTls;
  /** Where the roster's other facilitators are, by name: those that may be asked without TLS, or with it. */
  readonly others?: Readonly<Record<string, string>>;
}

export interface LoadedParty<C extends PartyConfig = PartyConfig> {
  readonly config: C;
  /** It stands in the roster, with its present key. */
  readonly identity: Identity;
  /** 32 bytes for sealBytes and openBytes in this party's store; unlike what the identity derives, it survives a rotation. */
  readonly storageKey: Uint8Array;
  /** Who belongs, as the roster file says now. */
  readonly parties: () => Parties;
  readonly log: Logger;
  /** The absolute path of a SQLite file, `:memory:`, or a postgres:// URL that may hold a password. */
  readonly store: string;
  readonly tls?: ServerTls;
  readonly facilitator: FacilitatorAccess;
  /** What the party's own people must show as a bearer token; to be compared in constant time. */
  readonly accessToken?: string;
}

/**
 * @throws SealsumError config_invalid naming file, field and mend; identity_invalid, passphrase_wrong for identity.json;
 *   party_unknown, role_forbidden when the roster does not name this party in this role
 */
export async function loadParty<R extends Role>(
  role: R,
  options: PartyOptions,
  services: LoadServices,
): Promise<LoadedParty<ConfigOf<R>>> {
  const config: ConfigOf<R> = await readConfig(role, options);
  const { clock } = services;
  const log = (services.createLog ?? createLog)(`${role} ${config.name}`, config.logLevel);
  const roster = watchRoster(config.roster, { clock, log });
  requireNamed(config, roster.current());
  const tls = config.tls === undefined ? undefined : await readServerTls(config.tls, clock.now());
  const facilitator = await facilitatorAccess(config, roster.current(), clock.now());
  const accessToken = await readAccessToken(config);
  // Last, for it may ask a person, and takes its time.
  const { identity, storageKey } = await ownSecrets(config, roster.current(), services, log);
  return {
    config,
    identity,
    storageKey,
    parties: roster.parties,
    log,
    store: config.store,
    facilitator,
    ...(tls === undefined ? {} : { tls }),
    ...(accessToken === undefined ? {} : { accessToken }),
  };
}

/**
 * Those whom a model owner asks must be data owners of the roster, those whom a data owner's policy names model owners.
 *
 * @throws SealsumError party_unknown, role_forbidden
 */
export function requireNamed(config: PartyConfig, roster: Roster): void {
  if (config.role === 'model-owner') requireRole(config, roster, 'owners', config.owners, 'data-owner');
  if (config.role === 'data-owner')
    requireRole(config, roster, 'policy.model_owners', config.policy.modelOwners, 'model-owner');
}

function requireRole(
  config: PartyConfig,
  roster: Roster,
  field: string,
  names: readonly PartyId[] | undefined,
  expected: Role,
): void {
  for (const name of names ?? []) {
    const role = entryOf(roster, name)?.role;
    if (role === expected) continue;
    throw role === undefined
      ? new SealsumError('party_unknown', `${field}: ${config.roster} does not name ${name}`, { field })
      : new SealsumError('role_forbidden', `${field}: ${config.roster} says that ${name} is a ${role}`, { field });
  }
}

/** The configuration alone, without any secret. @throws SealsumError config_invalid */
export async function readConfig<R extends Role>(role: R, options: PartyOptions): Promise<ConfigOf<R>> {
  const { path, tables } = await readTables(options.config);
  return createConfig(role, tables, path, options);
}

/** The configuration of whichever role it says that it is of. @throws SealsumError config_invalid */
export async function readAnyConfig(config: string | undefined): Promise<PartyConfig> {
  const { path, tables } = await readTables(config);
  const role = roles.find((each) => each === tables.role);
  if (role === undefined)
    throw new SealsumError('config_invalid', `${path}: role is missing; expected ${roles.join(', ')}`, {
      field: 'role',
    });
  return createConfig(role, tables, path);
}

async function readTables(
  config: string | undefined,
): Promise<{ path: string; tables: Readonly<Record<string, unknown>> }> {
  const path = resolve(config ?? 'config.toml');
  if (config === undefined && !(await exists(path)))
    throw new SealsumError(
      'config_invalid',
      'there is no config.toml here: name one with --config FILE, or make a project with sealsum init FOLDER',
      { field: '--config' },
    );
  const tables = parseToml(await readTextFile(path, '--config'), path);
  await protectPasswords(tables, path);
  return { path, tables };
}

/** The secrets whose public half the roster names: those of identity.json, or while a rotation is not admitted the old ones. */
async function ownSecrets(
  { name, role, identity: path, passphraseFile, roster: rosterFile }: PartyConfig,
  roster: Roster,
  { env, terminal }: LoadServices,
  log: Logger,
): Promise<Secrets> {
  const entry = entryOf(roster, name);
  if (entry === undefined)
    throw new SealsumError('party_unknown', `${rosterFile} does not name ${name}: get the present roster.toml`, {
      field: 'name',
    });
  if (entry.role !== role)
    throw new SealsumError('role_forbidden', `${rosterFile} says that ${name} is a ${entry.role}, not a ${role}`, {
      field: 'role',
    });
  const passphrase = await existingPassphrase(`the identity of ${name}`, { file: passphraseFile, env, terminal });
  const secrets = await readSecrets(path, name, role, passphrase);
  if (secrets.identity.publicKey === entry.key) return secrets;
  const old = oldIdentityFile(path);
  if (await exists(old)) {
    const before = await readSecrets(old, name, role, passphrase);
    if (before.identity.publicKey === entry.key) {
      log.warn({ file: old }, 'the roster does not name the new identity yet; going on with the one before');
      return before;
    }
  }
  throw new SealsumError('identity_invalid', `${rosterFile} names another key of ${name} than ${path} holds`, {
    field: 'identity',
  });
}

/**
 * How a facilitator gets to those that may fold what it releases.
 *
 * @throws SealsumError config_invalid for a file of [[upstream]] that cannot be read
 */
export async function upstreamAccess(
  { upstream }: ConfigOf<'facilitator'>,
  now: number,
): Promise<readonly FacilitatorAccess[]> {
  const access: FacilitatorAccess[] = [];
  for (const settings of upstream) {
    const tls = await readClientTls(settings, now, 'upstream');
    access.push({ name: settings.name, url: settings.url, ...(tls === undefined ? {} : { tls }) });
  }
  return access;
}

/**
 * Which facilitator a party works with, by its configuration and the roster; a facilitator itself.
 *
 * @throws SealsumError config_invalid naming the field that leaves it open
 */
export async function facilitatorAccess(config: PartyConfig, roster: Roster, now: number): Promise<FacilitatorAccess> {
  if (config.role === 'facilitator') {
    const { host, port, publicUrls } = config.listen;
    const own = `${config.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    return { name: config.name, url: entryOf(roster, config.name)?.url ?? publicUrls[0] ?? own };
  }
  const settings = config.facilitator;
  const refuse = (field: string, why: string): SealsumError =>
    new SealsumError('config_invalid', `${config.file}: facilitator.${field} ${why}`, {
      field: `facilitator.${field}`,
    });
  const entry = chosenFacilitator(settings, roster, refuse);
  const url = settings.url ?? entry.url;
  if (url === undefined) throw refuse('url', `is missing, and the roster does not say where ${entry.name} is`);
  if (!isAllowed(url, settings))
    throw refuse('url', `is ${url}, without TLS; write https:, or say facilitator.allow_plaintext = true`);
  const tls = await readClientTls(settings, now);
  const others: Record<string, string> = {};
  for (const { name, role, url: where } of roster.parties)
    if (role === 'facilitator' && name !== entry.name && where !== undefined && isAllowed(where, settings))
      others[name] = where;
  return {
    name: entry.name,
    url,
    ...(Object.keys(others).length === 0 ? {} : { others }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Whether a facilitator may be asked at this address. */
function isAllowed(url: string, { allowPlaintext }: FacilitatorSettings): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol !== 'http:' || isLoopback(hostname) || allowPlaintext;
}

function chosenFacilitator(
  { name }: FacilitatorSettings,
  roster: Roster,
  refuse: (field: string, why: string) => SealsumError,
): { readonly name: PartyId; readonly url?: string } {
  const facilitators = roster.parties.filter(({ role }) => role === 'facilitator');
  const [first] = name === undefined ? facilitators : facilitators.filter((each) => each.name === name);
  if (first === undefined) throw refuse('name', `is none of the roster's: it names ${namesOf(facilitators)}`);
  if (name === undefined && facilitators.length > 1)
    throw refuse('name', `is missing: the roster names ${namesOf(facilitators)}`);
  return first;
}

function namesOf(parties: readonly { readonly name: PartyId }[]): string {
  return parties.length === 0 ? 'no facilitator' : parties.map(({ name }) => name).join(', ');
}

/** Characters that RFC 6750 lets a bearer token have, enough of them that nobody guesses one. */
const tokenForm = /^[A-Za-z0-9._~+/-]{32,512}=*$/;

/** What the party's own people must show. @throws SealsumError config_invalid; identity_invalid when others may read the file */
export async function readAccessToken(config: PartyConfig): Promise<string | undefined> {
  if (config.role === 'facilitator' || config.accessTokenFile === undefined) return undefined;
  const token = (await readPrivateFile(config.accessTokenFile, 'access_token_file')).toString('utf8').trim();
  if (!tokenForm.test(token))
    throw new SealsumError(
      'config_invalid',
      `${config.accessTokenFile}: expected 32 or more letters and digits, such as: openssl rand -hex 32`,
      { field: 'access_token_file' },
    );
  return token;
}
