/** What a party's server is told of its configuration. */
import type { ServerOptions } from '../http/server.ts';
import type { ServerTls } from '../http/transport.ts';
import type { CommonConfig } from './party-config.ts';

/** @param tls as loadParty read it */
export function listeningOf(
  { listen: { host, port }, limits }: CommonConfig,
  tls: ServerTls | undefined,
): Pick<ServerOptions, 'host' | 'port' | 'tls' | 'limits'> {
  const { connections, headerBytes, bodySeconds } = limits;
  return {
    host,
    port,
    ...(tls === undefined ? {} : { tls }),
    limits: { connections, headerBytes, bodyGrace: bodySeconds * 1000 },
  };
}
