/**
 * Who is signed in to a party's dashboard. A person comes with a link that the party has printed: 256 random bits, good once and
 * for ten minutes. It is exchanged for a session: an identifier and an end, under an HMAC-SHA256 (RFC 2104) of a secret that
 * outlives the process, so that nobody has to sign in again when a party was restarted.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SealsumError } from '../../errors.ts';
import type { RandomBytes } from '../../paillier/random.ts';
import type { Clock } from '../../protocol/clock.ts';
import type { PartyId } from '../../protocol/identifiers.ts';

/** What a party remembers of its sessions. */
export interface SessionState {
  /** 32 bytes, under which sessions are signed. */
  readonly secret: Uint8Array;
  /** Sessions that were ended before their time, each with when that would have been: milliseconds since 1970. */
  readonly ended: Readonly<Record<string, number>>;
}

export interface SessionsOptions {
  /** Whose dashboard it is: a session of one party is none of another's. */
  readonly party: PartyId;
  readonly state: SessionState;
  /** Keeps what has changed; resolves when it is durable. */
  readonly keep: (state: SessionState) => Promise<void>;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface Session {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface DashboardSessions {
  /** A new token for a login link; the one before is void. */
  issueToken(): string;
  /**
   * Exchanges a token for a session.
   *
   * @returns what the session's cookie says
   * @throws SealsumError login_invalid for one that is not known, was used, or is too old; too_many_requests
   */
  redeem(token: string): { readonly cookie: string; readonly session: Session };
  /** The session that a cookie stands for, if it was made here, is not over and was not ended. */
  read(cookie: string | undefined): Session | undefined;
  /** Ends a session before its time, also for streams that are open. */
  end(session: Session): Promise<void>;
  /** Aborts once the session is over. */
  signalOf(session: Session): AbortSignal;
}

/** Milliseconds for which a login link is good, and a session. */
const linkLife = 10 * 60_000;
export const sessionLife: number = 12 * 3_600_000;

/** Attempts to sign in that are in vain: so many at once, and another one after so many milliseconds. */
const attempts = { burst: 10, every: 6000 } as const;

export function createSessions({ party, state, keep, clock, random }: SessionsOptions): DashboardSessions {
  const ended = new Map(Object.entries(state.ended));
  const watched = new Map<string, { readonly over: AbortController; readonly cancel: () => void }>();
  let link: { readonly digest: Buffer; readonly until: number } | undefined;
  let bucket: { readonly left: number; readonly at: number } = { left: attempts.burst, at: clock.monotonic() };
  let kept: Promise<void> = Promise.resolve();

  /** @throws SealsumError too_many_requests */
  function takeAttempt(): void {
    const now = clock.monotonic();
    const left = Math.min(attempts.burst, bucket.left + (now - bucket.at) / attempts.every);
    if (left < 1)
      throw new SealsumError(
        'too_many_requests',
        'there were too many attempts to sign in with links that are not valid; wait a little',
        {
          retryAfter: Math.ceil(((1 - left) * attempts.every) / 1000),
        },
      );
    bucket = { left: left - 1, at: now };
  }

  function macOf(id: string, expiresAt: number): Buffer {
    return createHmac('sha256', state.secret)
      .update(`sealsum dashboard session\0${party}\0${id}\0${expiresAt}`)
      .digest();
  }

  function stop(id: string): void {
    const entry = watched.get(id);
    watched.delete(id);
    entry?.cancel();
    entry?.over.abort();
  }

  return {
    issueToken: () => {
      const token = Buffer.from(random(32)).toString('base64url');
      link = { digest: sha256(token), until: clock.now() + linkLife };
      return token;
    },

    redeem: (token) => {
      const isIt = link !== undefined && timingSafeEqual(link.digest, sha256(token)) && clock.now() < link.until;
      if (!isIt) {
        // Nobody guesses 256 bits. What others try in vain must not keep out whoever has the link.
        takeAttempt();
        throw new SealsumError(
          'login_invalid',
          'the login link was used before, is older than 10 minutes or was replaced by a newer one: have the party print another (docs/dashboard.md)',
          { field: 'token' },
        );
      }
      link = undefined;
      const session = { id: Buffer.from(random(16)).toString('base64url'), expiresAt: clock.now() + sessionLife };
      const mac = macOf(session.id, session.expiresAt).toString('base64url');
      return { cookie: `${session.id}.${session.expiresAt}.${mac}`, session };
    },

    read: (cookie) => {
      const [, id, end, mac] = /^([A-Za-z0-9_-]{22})\.([0-9]{1,15})\.([A-Za-z0-9_-]{43})$/.exec(cookie ?? '') ?? [];
      if (id === undefined || end === undefined || mac === undefined) return undefined;
      const session = { id, expiresAt: Number(end) };
      // Of digests, so that also a MAC that is not in canonical base64url is compared as it was written.
      if (!timingSafeEqual(sha256(mac), sha256(macOf(id, session.expiresAt).toString('base64url')))) return undefined;
      return session.expiresAt > clock.now() && !ended.has(id) ? session : undefined;
    },

    end: async (session) => {
      const now = clock.now();
      for (const [id, until] of ended) if (until <= now) ended.delete(id);
      ended.set(session.id, session.expiresAt);
      stop(session.id);
      const next = kept.then(() => keep({ secret: state.secret, ended: Object.fromEntries(ended) }));
      kept = next.catch(() => undefined);
      await next;
    },

    signalOf: (session) => {
      const known = watched.get(session.id);
      if (known !== undefined) return known.over.signal;
      const over = new AbortController();
      const cancel = clock.after(session.expiresAt - clock.now(), () => {
        stop(session.id);
      });
      watched.set(session.id, { over, cancel });
      return over.signal;
    },
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
