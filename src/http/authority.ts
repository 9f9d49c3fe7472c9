/** What a server is called: `host`, or `host:port` when the port is not the scheme's own; lowercase, as RFC 9421 section 2.2.3 has it. */

/** The authority of an address, such as `127.0.0.1:8080` or `facilitator.example`. */
export function authorityOf(url: string | URL): string {
  return new URL(url).host;
}

/** 127.0.0.0/8 as it is written in full. */
const loopbackAddress = /^127(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** Whether a host, without its port, is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || name === '[::1]' || loopbackAddress.test(name);
}

export interface Listening {
  /** The address listened on. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * Every name by which a server may be addressed: those it was given, and where it listens. Whoever listens on loopback is
 * addressed by any name of it; whoever listens on all addresses (0.0.0.0, ::) has only the names it was given.
 *
 * @param names `host` or `host:port`, as others write it in the address
 */
export function listeningAuthorities({ host, port, tls }: Listening, names: readonly string[] = []): readonly string[] {
  const scheme = tls ? 'https' : 'http';
  const everywhere = host === '0.0.0.0' || host === '::';
  const hosts = isLoopback(host) ? ['127.0.0.1', 'localhost', '::1', host] : everywhere ? [] : [host];
  const here = hosts.map((each) => `${each.includes(':') && !each.startsWith('[') ? `[${each}]` : each}:${port}`);
  return [...new Set([...here, ...names].map((each) => authorityOf(`${scheme}://${each}`)))];
}
