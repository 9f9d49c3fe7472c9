/** Lines to the facilitators that may fold what this one releases. */
import type { FacilitatorAccess } from '../../src/config/load.ts';
import { createFacilitatorClient, type FacilitatorClient } from '../../src/http/facilitator-client.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createTransport } from '../../src/http/transport.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';

export interface Upstream extends AsyncDisposable {
  /** Asks again for as long as nobody stops it: what was folded here is lost unless it arrives. */
  readonly clientOf: (facilitator: PartyId) => FacilitatorClient | undefined;
}

/** @throws SealsumError config_invalid when a certificate or key cannot be read */
export function createUpstream(
  access: readonly FacilitatorAccess[],
  { identity, clock, random }: { readonly identity: Identity; readonly clock: Clock; readonly random: RandomBytes },
): Upstream {
  const lines = access.map(({ name, url, tls }) => {
    const transport = createTransport(tls);
    const fetch = createSignedFetch({ identity, fetch: transport.fetch, clock, random });
    const client = createFacilitatorClient({ url, fetch, clock, random, patience: Number.POSITIVE_INFINITY });
    return { name, transport, client };
  });
  return {
    clientOf: (facilitator) => lines.find(({ name }) => name === facilitator)?.client,
    [Symbol.asyncDispose]: async () => {
      for (const { transport } of lines) await transport[Symbol.asyncDispose]();
    },
  };
}
