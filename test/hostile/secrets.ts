/** What must not be found, in every form in which it may have been written, and looking for it. */
import type { LocalParty } from './consortium.ts';
import { dumpOf } from './dump.ts';

export interface Secret {
  readonly what: string;
  readonly forms: readonly Buffer[];
}

/** Somewhere to look. */
export interface Place {
  readonly where: string;
  readonly content: Buffer;
}

export function place(where: string, content: string | Uint8Array): Place {
  return { where, content: Buffer.from(content) };
}

/** A text, as it is, as JSON escapes it, and as an encoding of its bytes. */
export function secretText(what: string, text: string): Secret {
  const bytes = Buffer.from(text);
  return { what, forms: [bytes, Buffer.from(encodeURIComponent(text)), ...encodings(bytes)] };
}

/**
 * Bytes: found wherever 32 of them that stand side by side are, or all when they are fewer. Any 32 contain 16 that begin at a
 * multiple of 16, so those are looked for.
 */
export function secretBytes(what: string, bytes: Uint8Array): Secret {
  const blocks: Buffer[] = [];
  if (bytes.length <= 32) blocks.push(Buffer.from(bytes));
  else for (let at = 0; at + 16 <= bytes.length; at += 16) blocks.push(Buffer.from(bytes.subarray(at, at + 16)));
  return { what, forms: blocks.flatMap((block) => [block, ...encodings(block)]) };
}

/** A number that is long enough to be no other: as a decimal, and as bytes. */
export function secretNumber(what: string, value: bigint): Secret {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return { what, forms: [Buffer.from(String(value)), Buffer.from(digits), ...secretBytes(what, bytes).forms] };
}

function encodings(bytes: Buffer): Buffer[] {
  const texts = [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    [...bytes].join(','),
    [...bytes].join(', '),
  ];
  for (const before of [0, 1, 2]) texts.push(...base64Within(bytes, before));
  return texts.filter((text) => text.length >= 8).map((text) => Buffer.from(text));
}

/** What base64 says of bytes that stand behind `before` (modulo 3) others and before more: the characters that are theirs alone. */
function base64Within(bytes: Buffer, before: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(before), bytes]);
  return (['base64', 'base64url'] as const).map((form) => {
    const text = whole.toString(form).replace(/=+$/, '');
    const first = before === 0 ? 0 : before + 1;
    return text.slice(first, whole.length % 3 === 0 ? text.length : -1);
  });
}

/** The first secret that is in one of the places, as `what in where`; undefined when none is. */
export function found(secrets: readonly Secret[], places: readonly Place[]): string | undefined {
  for (const { where, content } of places)
    for (const { what, forms } of secrets)
      if (forms.some((form) => content.includes(form))) return `${what} in ${where}`;
  return undefined;
}

/** What a party says to its people and its machine: its log and its measurements. */
export async function sayings({
  identity,
  lines,
  url,
  access = {},
}: Pick<LocalParty, 'identity' | 'lines' | 'url'> & Partial<Pick<LocalParty, 'access'>>): Promise<Place[]> {
  const metrics = await fetch(`${url}/metrics`, { headers: access });
  return [
    place(`the log of ${identity.name}`, lines.join('')),
    place(`the measurements of ${identity.name}`, await metrics.text()),
  ];
}

/** Everything that a party holds: its store, what the facilitator ever answered it, its log and its measurements. */
export async function holdings(party: LocalParty): Promise<Place[]> {
  const { identity, database, exchanges } = party;
  return [
    place(`the store of ${identity.name}`, (await dumpOf(database)).join('\n')),
    ...exchanges.map(({ method, path, received }) =>
      place(`the answer to ${method} ${path} by ${identity.name}`, Buffer.concat(received)),
    ),
    ...(await sayings(party)),
  ];
}
