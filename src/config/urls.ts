/** Addresses in configurations: what a URL may be, and what stays on this machine. */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

/** The URL of a party, without a slash at its end. */
export const partyUrlSchema: z.ZodType<string, string> = z
  .string()
  .refine(isPartyUrl, 'expected a URL such as https://sums.example.org:8080')
  .transform((text) => text.replace(/\/+$/, ''));

/** Whether a URL leads to a party: http or https, without user, query and fragment. */
export function isPartyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && `${username}${password}${search}${hash}` === '';
}

/** The origin of a page as browsers name it: scheme, host, and the port where it is not the scheme's own. */
export const originSchema: z.ZodType<string> = z
  .string()
  .refine(isOrigin, 'expected the origin of a page, such as https://owners.example.org; http: of this machine only');

/** A page that came without TLS is whatever somebody on the way made of it. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  return text === origin && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host name or address never leaves this machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(bare);
  return family === 0 ? bare === 'localhost' : loopback.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}
