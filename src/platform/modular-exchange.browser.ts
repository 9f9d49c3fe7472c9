/** Browsers have no modular power of their own: what asks for one finds that it does not work, and takes BigInt's. */
import type { ModularExchange } from './modular-exchange.ts';

export function modularExchange(): ModularExchange {
  throw new Error('browsers have no OpenSSL');
}
