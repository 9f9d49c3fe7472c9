/** A Diffie–Hellman exchange modulo an odd number, which is a native modular power: in Node, OpenSSL's. */
import { Buffer } from 'node:buffer';
import { createDiffieHellman } from 'node:crypto';

export interface ModularExchange {
  /** The exponent of all that follows. */
  load(exponent: bigint): void;
  /** base^exponent as bytes. @throws Error where OpenSSL refuses to give one */
  share(base: bigint): Uint8Array;
}

export function modularExchange(modulus: bigint): ModularExchange {
  const exchange = createDiffieHellman(toBuffer(modulus), 2);
  return {
    load: (exponent) => {
      exchange.setPrivateKey(toBuffer(exponent));
    },
    share: (base) => exchange.computeSecret(toBuffer(base)),
  };
}

function toBuffer(value: bigint): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}
