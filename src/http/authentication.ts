/**
 * Who asks: every request is signed by a party that is known, for this server, now, and once. Cheap checks come first, the
 * signature next, and only a request that is its sender's own counts against its sender and uses up its nonce.
 */
import { createHash } from 'node:crypto';
import type { Context, Env, MiddlewareHandler } from 'hono';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import type { Party, Role } from '../protocol/identity.ts';
import type { Parties } from '../protocol/parties.ts';
import type { NonceStore } from '../storage/nonce-store.ts';
import { systemTurns } from '../threads/turns.ts';
import type { Limiter } from './limits.ts';
import { bodyOf } from './message-body.ts';
import { defaultTolerance, digestOf, emptyDigest, useNonce, verifyHead } from './message-signatures.ts';
import { limitBody } from './request-body.ts';

/** What a handler behind authenticate() finds in its context. */
export interface AuthenticatedEnv extends Env {
  Variables: {
    /** Who signed the request. */
    party: Party;
    /** SHA-256 that the body must have, as its sender signed it; undefined when there is no body. */
    bodyDigest: Uint8Array | undefined;
  };
}

export interface AuthenticationOptions {
  readonly parties: () => Parties;
  readonly nonces: NonceStore;
  readonly clock: Clock;
  /** What this server is called, as listeningAuthorities() says it. */
  readonly authorities: () => readonly string[];
  /** Milliseconds by which clocks may differ; 60,000 unless said otherwise. */
  readonly tolerance?: number;
  readonly limiter?: Limiter;
  /** The greatest body that is held in memory to be checked, in bytes; 8 MiB unless said otherwise. */
  readonly jsonLimit?: number;
}

/**
 * Lets pass what is signed. A body of application/octet-stream is not read here: its handler reads it with streamedBody(),
 * and believes it at its end only. Every other body is checked before the handler sees it.
 */
export function authenticate(options: AuthenticationOptions): MiddlewareHandler<AuthenticatedEnv> {
  const { parties, nonces, clock, authorities, limiter } = options;
  const { tolerance = defaultTolerance, jsonLimit = 8 * 2 ** 20 } = options;
  let forgottenAt = Number.NEGATIVE_INFINITY;

  /** Keeps the store from growing without bound. */
  async function forgetOld(now: number): Promise<void> {
    if (Math.abs(now - forgottenAt) < tolerance) return;
    forgottenAt = now;
    await nonces.forget(now);
  }

  return async (context, next) => {
    const { method, url, raw } = context.req;
    const now = clock.now();
    const head = { method, url, headers: raw.headers };
    const verified = verifyHead(head, {
      parties: parties(),
      now,
      tolerance,
      authorities: authorities(),
      examine: () => limiter?.examine(),
    });
    const { party, digest } = verified;
    limiter?.proven();
    limiter?.admit(party.name);
    await forgetOld(now);
    await useNonce(nonces, verified);
    context.set('party', party);
    context.set('bodyDigest', digest);
    if (method === 'GET' || method === 'HEAD') {
      await next();
      return;
    }
    const leave = await limiter?.enter(party.name, raw.signal);
    try {
      if (!isStreamed(context)) await checkBody(context, digest ?? emptyDigest(), jsonLimit);
      // The bodies of many may have arrived at once.
      await systemTurns.take();
      await next();
    } finally {
      leave?.();
    }
  };
}

function isStreamed(context: Context<AuthenticatedEnv>): boolean {
  const type = context.req.header('content-type')?.split(';', 1)[0];
  return type?.trim().toLowerCase() === 'application/octet-stream';
}

/** Reads a body and keeps it for the handler. @throws SealsumError signature_invalid, body_too_large */
async function checkBody(context: Context<AuthenticatedEnv>, expected: Uint8Array, limit: number): Promise<void> {
  limitBody(context, limit);
  const body = new Uint8Array(await context.req.arrayBuffer());
  requireDigest(digestOf(body), expected);
}

/** @throws SealsumError signature_invalid */
function requireDigest(found: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(found, expected) === 0) return;
  throw new SealsumError('signature_invalid', 'content-digest: the body is not the one that was signed', {
    field: 'content-digest',
  });
}

/**
 * The chunks of the request's body. That they are what was signed is known at the end only: nothing may be kept of them that
 * cannot be undone when this throws.
 *
 * @throws SealsumError signature_invalid after the last chunk
 */
export function streamedBody(context: Context<AuthenticatedEnv>): AsyncGenerator<Uint8Array, void, undefined> {
  return digestChecked(bodyOf(context.req.raw), context.get('bodyDigest') ?? emptyDigest());
}

/** The chunks of a body. @throws SealsumError signature_invalid after the last one, when it is not the body with this SHA-256 */
export async function* digestChecked(
  body: ReadableStream<Uint8Array> | null,
  expected: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  for await (const chunk of body ?? []) {
    await systemTurns.take();
    hash.update(chunk);
    yield chunk;
  }
  requireDigest(hash.digest(), expected);
}

/** Who asks, when it is one of these roles. @throws SealsumError role_forbidden */
export function requireRole(context: Context<AuthenticatedEnv>, ...roles: readonly Role[]): Party {
  const party = context.get('party');
  if (roles.includes(party.role)) return party;
  throw new SealsumError(
    'role_forbidden',
    `${party.name} is a ${party.role}; only a ${roles.join(' or a ')} may do this`,
  );
}

/** Who asks, when it is this party. @throws SealsumError role_forbidden */
export function requireParty(context: Context<AuthenticatedEnv>, name: PartyId): Party {
  const party = context.get('party');
  if (party.name === name) return party;
  throw new SealsumError('role_forbidden', `only ${name} may do this, and ${party.name} signed the request`);
}
