/** Randomness of the operating system, by way of the browser. */

/** The most that browsers give at once (Web Cryptography API, section 10.1.1). */
const portion = 65_536;

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += portion) crypto.getRandomValues(bytes.subarray(at, at + portion));
  return bytes;
}
