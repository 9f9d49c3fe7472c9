/** Lines between parties, in browsers: TLS, its authorities and its certificates are the browser's own affair. */
import { SealsumError } from '../errors.ts';
import type { ClientTls, Transport } from './transport.ts';

/**
 * Connections of the browser's. Nothing that it keeps of the facilitator's site goes along, and no answer is kept.
 * Disposing of it breaks what is under way.
 *
 * @throws SealsumError config_invalid for certificates, which a page cannot choose
 */
export function createTransport(tls: ClientTls = {}): Transport {
  const [field] = Object.entries(tls).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (field !== undefined)
    throw new SealsumError(
      'config_invalid',
      `${field}: a page trusts and shows the certificates that its browser has; leave it out`,
      { field },
    );
  const closing = new AbortController();
  return {
    fetch: (input, init = {}) =>
      fetch(input, {
        ...init,
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        signal: init.signal ? AbortSignal.any([closing.signal, init.signal]) : closing.signal,
      }),
    [Symbol.asyncDispose]: () => {
      closing.abort();
      return Promise.resolve();
    },
  };
}
