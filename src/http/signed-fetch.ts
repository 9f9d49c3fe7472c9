/** fetch in the name of a party: every request is signed, and signed anew when it is sent again. */
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { Clock } from '../protocol/clock.ts';
import type { Identity } from '../protocol/identity.ts';
import { digestOf, signRequest } from './message-signatures.ts';

export interface SignedFetchOptions {
  readonly identity: Identity;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** For the nonces. */
  readonly random: RandomBytes;
}

/**
 * Takes an address as text or URL, and a body that is there as a whole: text or bytes. What a server answers with a
 * redirection is an error: the signature is for that server and that path alone.
 */
export function createSignedFetch(options: SignedFetchOptions): typeof fetch {
  // Called by itself: a browser's own fetch refuses to be another object's method.
  const { identity, clock, random, fetch: send } = options;
  return async (input, init = {}) => {
    if (input instanceof Request)
      throw new SealsumError('internal', 'a signed request takes an address, not a Request', { field: 'input' });
    const { href } = new URL(input);
    const body = wholeBody(init.body ?? undefined);
    const { method = 'GET' } = init;
    const request = { method, url: href, ...(body === undefined ? {} : { bodyDigest: digestOf(body) }) };
    const signature = signRequest(identity, request, { now: clock.now(), random });
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries<string>({ ...signature })) headers.set(name, value);
    return await send(href, { ...init, headers, redirect: 'error' });
  };
}

function wholeBody(body: unknown): string | Uint8Array | undefined {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  throw new SealsumError('internal', 'a signed request takes a body of text or bytes', { field: 'body' });
}
