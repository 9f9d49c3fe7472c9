/** Randomness of the operating system: in Node, by way of OpenSSL. */
import { randomFillSync } from 'node:crypto';

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length));
}
