/** The ways between parties: this one's port, the facilitator's address, certificate, version, clock, and whether it knows this one. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { z } from 'zod';
import { type FacilitatorAccess, facilitatorAccess, upstreamAccess } from '../../config/load.ts';
import type { PartyConfig } from '../../config/party-config.ts';
import { readServerTls } from '../../config/tls-files.ts';
import { SealsumError } from '../../errors.ts';
import { createFacilitatorClient } from '../../http/facilitator-client.ts';
import { createSignedFetch } from '../../http/signed-fetch.ts';
import { createTransport, oldestTls } from '../../http/transport.ts';
import { version } from '../../version.ts';
import { listeningUrl } from '../party-access.ts';
import type { ProjectServices } from '../project-services.ts';
import { judgeCertificate, type Known } from './file-checks.ts';
import { type Check, type Finding, ok, problem, skipped, warning } from './finding.ts';

type Found = Omit<Finding, 'check'>;

/** Milliseconds that another party has for an answer. */
const patience = 10_000;

export function networkChecks(
  config: PartyConfig,
  known: Known,
  services: ProjectServices,
  signal: AbortSignal,
): readonly Check[] {
  const others = lookUpOthers(config, known, services);
  return [
    { name: 'port', look: () => lookAtPort(config, services, signal), mend: anotherPort },
    {
      name: 'reachability',
      look: async () => (await Promise.all((await others).map((each) => lookAtOther(each, services, signal)))).flat(),
      mend: wayThere,
    },
    { name: 'clock', look: async () => lookAtClock(config, await others, services, signal), mend: wayThere },
    ...(config.role === 'facilitator'
      ? []
      : [
          {
            name: 'admission',
            look: async () => lookAtAdmission((await others)[0], known, services, signal),
            mend: wayThere,
          },
        ]),
  ];
}

/** For those whose address or certificates cannot even be found out. */
const wayThere = 'look at [facilitator] (or [[upstream]]) in the configuration, and at the url in the roster';

/** Whom this party makes connections to. It is looked up once, and told of by each check that needs it. */
function lookUpOthers(
  config: PartyConfig,
  known: Known,
  { clock }: ProjectServices,
): Promise<readonly FacilitatorAccess[]> {
  const { roster } = known;
  const found =
    config.role === 'facilitator'
      ? upstreamAccess(config, clock.now())
      : roster === undefined
        ? Promise.resolve([])
        : facilitatorAccess(config, roster, clock.now()).then((access) => [access]);
  found.catch(() => undefined);
  return found;
}

const anotherPort = 'end the other program, or choose another port: listen.port';

async function lookAtPort(config: PartyConfig, services: ProjectServices, signal: AbortSignal): Promise<Found> {
  const { host, port } = config.listen;
  const at = `${host}, port ${port}`;
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening', { signal });
    return ok(port === 0 ? `${host}, any free port` : `${at} is free: the party is not running`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return await lookAtListener(config, at, services, signal);
    if (code === 'EACCES') return problem(`${at}: permission denied`, 'choose a port above 1023: listen.port');
    return problem(
      `${at} cannot be listened on (${code ?? String(error)})`,
      'look at listen.host: is it an address of this machine?',
    );
  } finally {
    server.close();
  }
}

/** Whoever listens on the port of this party: itself, if all is well. It is told no secret and asked for none. */
async function lookAtListener(
  config: PartyConfig,
  at: string,
  { clock }: ProjectServices,
  signal: AbortSignal,
): Promise<Found> {
  const { tls } = config;
  const url = listeningUrl(config);
  if (tls !== undefined) {
    const { fingerprint256: own } = new X509Certificate((await readServerTls(tls, clock.now())).cert);
    // Whether it is trusted is for those who come from elsewhere: here it must be this party's.
    const shown = await peerCertificate(url, { rejectUnauthorized: false }, signal);
    if (shown.error === undefined && shown.peer.fingerprint256 === own)
      return ok(`${at} is in use by a program with the certificate of this party`);
    const what =
      shown.error === undefined ? `its certificate is another: SHA-256 ${shown.peer.fingerprint256}` : shown.error;
    return problem(`${at} is in use by a program that is not this party: ${what}`, anotherPort);
  }
  await using transport = createTransport();
  const said = await describe(transport.fetch, url, signal).catch(() => undefined);
  if (said === undefined || said.title === '')
    return problem(`${at} is in use by a program that is no party of sealsum`, anotherPort);
  const expected = `sealsum ${config.role.replace('-', ' ')}`;
  if (said.title !== expected) return problem(`${at} is in use by another party, a ${said.title}`, anotherPort);
  return ok(`${at} is in use by a running ${expected}, version ${said.version}`);
}

/** Another party's address: that it is reached, is a facilitator, of which version, with which certificate. */
async function lookAtOther(
  { name, url, tls }: FacilitatorAccess,
  { clock }: ProjectServices,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  if (url.startsWith('https:')) {
    const certificate = await peerCertificate(url, tls, signal);
    if (certificate.error !== undefined)
      return [
        problem(
          `${name} at ${url}: ${certificate.error}`,
          'name who signed its certificate in facilitator.ca, or see whether something stands between',
        ),
      ];
    const {
      valid_to: validTo,
      valid_from: validFrom,
      fingerprint256,
      subjectaltname: subjectAltName,
    } = certificate.peer;
    found.push(
      judgeCertificate({ validTo, validFrom, fingerprint256, subjectAltName }, `certificate of ${name}`, clock.now()),
    );
  }
  await using transport = createTransport(tls);
  const said = await describe(transport.fetch, url, signal).catch((error: unknown) => reasonIn(error));
  if (typeof said === 'string')
    return [
      ...found,
      problem(`${name} at ${url} does not answer (${said})`, 'is it running, and does the firewall let through?'),
    ];
  if (said.title !== 'sealsum facilitator')
    return [
      ...found,
      problem(
        `${url} is no facilitator${said.title === '' ? '' : `, but a ${said.title}`}`,
        'look at facilitator.url and at the url in the roster',
      ),
    ];
  if (said.version !== version)
    return [
      ...found,
      warning(
        `${name} at ${url} has version ${said.version}, and this is ${version}`,
        'have all parties on the same version',
      ),
    ];
  return [...found, ok(`${name} at ${url} answers, version ${said.version}`)];
}

async function lookAtClock(
  { clockToleranceSeconds: tolerance }: PartyConfig,
  [other]: readonly FacilitatorAccess[],
  { clock }: ProjectServices,
  signal: AbortSignal,
): Promise<Found> {
  if (other === undefined) return skipped('nobody to compare with: this party makes no connections to others');
  await using transport = createTransport(other.tls);
  const before = clock.now();
  const response = await transport
    .fetch(`${other.url}/healthz`, { signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]) })
    .catch(() => undefined);
  const theirs = Date.parse(response?.headers.get('date') ?? '');
  await response?.arrayBuffer();
  if (Number.isNaN(theirs)) return skipped(`${other.name} does not say what time it is`);
  // The header has whole seconds, cut off; the answer was made somewhere between the question and now.
  const ours = (before + clock.now()) / 2;
  const seconds = Math.round((ours - theirs - 500) / 1000);
  const said = `this clock is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} that of ${other.name}; ${tolerance} s are allowed`;
  const mend = 'set both clocks by NTP (timedatectl set-ntp true)';
  if (Math.abs(seconds) > tolerance) return problem(said, mend);
  return Math.abs(seconds) > tolerance / 2 ? warning(said, mend) : ok(said);
}

/** Whether the facilitator takes what this party signs. */
async function lookAtAdmission(
  access: FacilitatorAccess | undefined,
  { identity }: Known,
  { clock, random }: ProjectServices,
  signal: AbortSignal,
): Promise<Found> {
  if (access === undefined || identity === undefined)
    return skipped('without identity and roster nothing can be signed');
  const { name, url, tls } = access;
  await using transport = createTransport(tls);
  const fetch = createSignedFetch({ identity, fetch: transport.fetch, clock, random });
  try {
    const jobs = await createFacilitatorClient({ url, fetch, clock, random, timeout: patience, patience: 0 }).jobs(
      signal,
    );
    return ok(`${name} knows ${identity.name} by its key; ${jobs.length} jobs name it`);
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code === 'aborted') throw error;
    if (error.code === 'facilitator_unreachable') return skipped(`${name} does not answer`);
    const mends: Readonly<Record<string, string>> = {
      party_unknown: `copy the present roster.toml to the machine of ${name}`,
      signature_expired: 'set both clocks by NTP (timedatectl set-ntp true)',
      signature_invalid: `the address must be one that ${name} calls its own: its url in the roster, or listen.public_urls there`,
    };
    return problem(`${name} refuses: ${error.message}`, mends[error.code] ?? 'see the log of the facilitator');
  }
}

interface Described {
  readonly title: string;
  readonly version: string;
}

/** What a server says of itself. @throws whatever kept it from it */
async function describe(send: typeof fetch, url: string, signal: AbortSignal): Promise<Described> {
  const response = await send(`${url}/openapi.json`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
  });
  const body: unknown = await response.json().catch(() => undefined);
  const parsed = described.safeParse(body);
  return parsed.success ? parsed.data.info : { title: '', version: '' };
}

const described = z.object({ info: z.object({ title: z.string(), version: z.string() }) });

function reasonIn(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code ?? (error instanceof Error ? error.message : String(error));
}

type Peer = { readonly peer: PeerCertificate; readonly error?: undefined } | { readonly error: string };

/** The certificate that a server shows, or why it is not trusted. */
async function peerCertificate(url: string, tls: ConnectionOptions | undefined, signal: AbortSignal): Promise<Peer> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  let socket: TLSSocket | undefined;
  try {
    socket = connect({
      host,
      port: Number(port || 443),
      minVersion: oldestTls,
      ...(tls ?? {}),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    });
    await once(socket, 'secureConnect', { signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]) });
    return { peer: socket.getPeerCertificate() };
  } catch (error) {
    return {
      error: `TLS fails: ${error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error)}`,
    };
  } finally {
    socket?.destroy();
  }
}
