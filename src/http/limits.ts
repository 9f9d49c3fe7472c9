/**
 * How much one party, and all of them together, may ask of a server: requests by token buckets, bodies by a number of places
 * with a queue before them. Before a signature is verified nobody is known, and an address says nothing behind a proxy, so
 * there only the sum of what is verified in vain is bounded.
 */
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';
import type { PartyId } from '../protocol/identifiers.ts';

export interface Limits {
  /** Requests of one party a second, in the long run. */
  readonly requestsPerSecond: number;
  /** Requests of one party at once, after a rest. */
  readonly burst: number;
  /** Bodies of one party under way at once, waiting ones included. */
  readonly bodiesPerParty: number;
  /** Bodies under way at once, of all parties. */
  readonly bodies: number;
  /** Bodies that wait for a place. */
  readonly waiting: number;
  /** Milliseconds that one of them waits. */
  readonly patience: number;
  /** Signatures a second that turn out to be false; twice as many at once. */
  readonly forgeriesPerSecond: number;
}

export const defaultLimits: Limits = {
  requestsPerSecond: 200,
  burst: 400,
  bodiesPerParty: 8,
  bodies: 256,
  waiting: 2048,
  patience: 5000,
  forgeriesPerSecond: 2000,
};

export interface Limiter {
  /** Takes a token for a signature that is about to be verified. @throws SealsumError overloaded */
  examine(): void;
  /** Gives it back: the signature was right. */
  proven(): void;
  /** Counts a request of a party. @throws SealsumError too_many_requests */
  admit(party: PartyId): void;
  /**
   * Waits for a place for a body of a party.
   *
   * @returns the way to leave it, once
   * @throws SealsumError overloaded; aborted when the signal says so before there is a place
   */
  enter(party: PartyId, signal: AbortSignal): Promise<() => void>;
}

/** Tokens that come back with time: each request takes one. */
interface Bucket {
  tokens: number;
  /** The moment, of a monotonic clock in milliseconds, at which there were that many. */
  at: number;
}

/** Fills a bucket up to now. */
function refill(bucket: Bucket, now: number, perSecond: number, most: number): void {
  bucket.tokens = Math.min(most, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000);
  bucket.at = now;
}

interface Account {
  readonly bucket: Bucket;
  bodies: number;
}

/** Accounts are looked through for idle ones when there are this many. */
const manyAccounts = 1024;

export function createLimiter(clock: Clock, changes: Partial<Limits> = {}): Limiter {
  const limits: Limits = { ...defaultLimits, ...changes };
  const forgeries: Bucket = { tokens: 2 * limits.forgeriesPerSecond, at: clock.monotonic() };
  const accounts = new Map<PartyId, Account>();
  let sweepAt = manyAccounts;
  let bodies = 0;
  const queue = new Set<() => void>();

  function accountOf(party: PartyId): Account {
    const known = accounts.get(party);
    if (known !== undefined) return known;
    if (accounts.size >= sweepAt) sweep();
    const account: Account = { bucket: { tokens: limits.burst, at: clock.monotonic() }, bodies: 0 };
    accounts.set(party, account);
    return account;
  }

  /** Forgets who has not asked for anything lately: as if they had never been here. */
  function sweep(): void {
    const now = clock.monotonic();
    for (const [party, { bucket, bodies: own }] of accounts) {
      refill(bucket, now, limits.requestsPerSecond, limits.burst);
      if (own === 0 && bucket.tokens >= limits.burst) accounts.delete(party);
    }
    sweepAt = Math.max(manyAccounts, 2 * accounts.size);
  }

  /** Resolves once there is a place. */
  function place(signal: AbortSignal): Promise<void> {
    if (bodies < limits.bodies) {
      bodies += 1;
      return Promise.resolve();
    }
    if (queue.size >= limits.waiting) return Promise.reject(tooMuch());
    return new Promise((resolve, reject) => {
      const end = (): void => {
        queue.delete(enter);
        cancel();
        signal.removeEventListener('abort', leave);
      };
      const enter = (): void => {
        end();
        resolve();
      };
      const leave = (): void => {
        end();
        reject(new SealsumError('aborted', 'the request broke off while it waited'));
      };
      const cancel = clock.after(limits.patience, () => {
        end();
        reject(tooMuch());
      });
      queue.add(enter);
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave);
    });
  }

  function release(): void {
    const [next] = queue;
    // The place goes from one to the next.
    if (next === undefined) bodies -= 1;
    else next();
  }

  return {
    examine: () => {
      refill(forgeries, clock.monotonic(), limits.forgeriesPerSecond, 2 * limits.forgeriesPerSecond);
      if (forgeries.tokens < 1)
        throw new SealsumError('overloaded', 'too many requests with a false signature arrive at the moment', {
          retryAfter: 1,
        });
      forgeries.tokens -= 1;
    },
    proven: () => {
      forgeries.tokens += 1;
    },
    admit: (party) => {
      const { bucket } = accountOf(party);
      refill(bucket, clock.monotonic(), limits.requestsPerSecond, limits.burst);
      if (bucket.tokens < 1)
        throw new SealsumError(
          'too_many_requests',
          `${party} asks more than ${limits.requestsPerSecond} times a second; ask less often`,
          { retryAfter: Math.ceil((1 - bucket.tokens) / limits.requestsPerSecond) },
        );
      bucket.tokens -= 1;
    },
    enter: async (party, signal) => {
      const account = accountOf(party);
      if (account.bodies >= limits.bodiesPerParty)
        throw new SealsumError(
          'overloaded',
          `${party} sends ${limits.bodiesPerParty} bodies at once already; send one after the other`,
          { retryAfter: 1 },
        );
      account.bodies += 1;
      try {
        await place(signal);
      } catch (error) {
        account.bodies -= 1;
        throw error;
      }
      let left = false;
      return () => {
        if (left) return;
        left = true;
        account.bodies -= 1;
        release();
      };
    },
  };
}

function tooMuch(): SealsumError {
  return new SealsumError('overloaded', 'too many bodies are under way; send it again in a while', { retryAfter: 1 });
}
