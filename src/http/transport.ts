/**
 * Lines between parties: TLS 1.2 or later on both ends, with certificates of clients where they are asked for. Whoever serves
 * without it serves loopback only, unless it is said that something in front does TLS.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Agent, fetch as fetchThrough } from 'undici';
import { SealsumError } from '../errors.ts';
import { isLoopback } from './authority.ts';

/** What a server shows; all as PEM text. */
export interface ServerTls {
  /** The certificate, followed by those that lead from it to the root. */
  readonly cert: string;
  readonly key: string;
  /** When given, only clients with a certificate of this authority are served. */
  readonly clientCa?: string;
}

/** What a client trusts and shows; all as PEM text. */
export interface ClientTls {
  /** The authority that the server's certificate must lead to; Node's own list when left out. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The oldest version of TLS that is spoken (RFC 8996). */
export const oldestTls = 'TLSv1.2';

/** A way to other parties that owns its connections. */
export interface Transport extends AsyncDisposable {
  readonly fetch: typeof fetch;
}

/** Milliseconds for a connection to stand, and for which an idle one is kept when the server does not say how long. */
const connectTimeout = 10_000;
const keepAlive = 4000;

/**
 * Connections that are kept for the next request, with the certificates a process was given; for http: addresses too.
 * Disposing of it breaks what is under way.
 *
 * @throws SealsumError config_invalid when the certificate or key cannot be read
 */
export function createTransport(tls: ClientTls = {}): Transport {
  requireTls({ ...tls, authority: tls.ca });
  const dispatcher = new Agent({
    connect: { ...tls, minVersion: oldestTls, timeout: connectTimeout },
    keepAliveTimeout: keepAlive,
    // Whoever sends a request limits its time by a signal, on the clock it was given.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const send: typeof fetchThrough = (input, init = {}) => fetchThrough(input, { ...init, dispatcher });
  return {
    // Node's own fetch is undici's too, of another version: what is called the same is the same.
    fetch: send as unknown as typeof fetch,
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

interface TlsFiles {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The authority that the other side's certificate must lead to. */
  readonly authority?: string | undefined;
}

/** Checks that certificates and keys can be read and belong together. @throws SealsumError config_invalid */
export function requireTls({ cert, key, authority }: TlsFiles): void {
  if ((cert === undefined) !== (key === undefined))
    throw new SealsumError('config_invalid', 'tls: give the certificate and its key, or neither', { field: 'tls' });
  try {
    createSecureContext({ ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw new SealsumError(
      'config_invalid',
      `tls: the certificate and the key are not in PEM, or do not belong together${code}`,
      { field: 'tls', cause },
    );
  }
  if (authority === undefined) return;
  try {
    // Node takes anything for an authority, and then trusts nobody.
    new X509Certificate(authority);
  } catch (cause) {
    throw new SealsumError('config_invalid', "tls: the authority's certificate is not in PEM", { field: 'tls', cause });
  }
}

export interface Exposure {
  /** The address to listen on. */
  readonly host: string;
  readonly tls: boolean;
  /** Whether something in front of this server does TLS. */
  readonly allowPlaintext: boolean;
  /** Whether the party has an interface for its own people, which is open to whoever reaches it unless it has a token. */
  readonly needsToken: boolean;
  /** The token of that interface. */
  readonly localToken?: string | undefined;
}

/** The least characters of a token: 128 bits in base64url, if they are random. */
const shortestToken = 22;

/** Refuses to be reached by others in a way that nobody meant. @throws SealsumError config_invalid */
export function requireSafeListening(exposure: Exposure): void {
  const { host, tls, allowPlaintext, needsToken, localToken } = exposure;
  if (localToken !== undefined && localToken.length < shortestToken)
    throw new SealsumError(
      'config_invalid',
      `the token has fewer than ${shortestToken} characters; make a longer one`,
      {
        field: 'token',
      },
    );
  if (isLoopback(host)) return;
  if (!tls && !allowPlaintext)
    throw new SealsumError(
      'config_invalid',
      `listening on ${host} without TLS would let others read along; give tls.certificate and tls.key, ` +
        'or set allow_plaintext = true if something in front of it does TLS',
      { field: 'tls' },
    );
  if (needsToken && localToken === undefined)
    throw new SealsumError(
      'config_invalid',
      `listening on ${host} would open this party's own interface to others; give it a token, or listen on 127.0.0.1`,
      { field: 'token' },
    );
}
