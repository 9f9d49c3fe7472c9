/** A party as its config.toml describes it, ready to be a Controller or a Client: nothing of it need be written twice. */

import { loadParty, readAnyConfig } from '../config/load.ts';
import { type OwnerPolicy, openPolicy } from '../config/owner-policy.ts';
import { passphraseVariable } from '../config/passphrase.ts';
import type { Terminal } from '../config/terminal.ts';
import { SealsumError } from '../errors.ts';
import { createLog } from '../http/log.ts';
import type { ClientTls } from '../http/transport.ts';
import { systemClock } from '../protocol/clock.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import type { Parties } from '../protocol/parties.ts';

/** What a config.toml says, as `Client` and `Controller` take it. */
export interface ReadParty {
  /** The facilitator's address and name, and how to get there. */
  readonly facilitator: string;
  readonly facilitatorName: PartyId;
  /** Where the roster's other facilitators are, by name. */
  readonly facilitators: Readonly<Record<string, string>>;
  readonly tls?: ClientTls;
  readonly identity: Identity;
  readonly storageKey: Uint8Array;
  /** Who belongs, as the roster file says now. */
  readonly parties: () => Parties;
  /** Of a data owner: [policy]. */
  readonly policy: OwnerPolicy;
  /** Where its store is, for openClientStore(). */
  readonly storeLocation: string;
}

/**
 * A party from its config.toml and what that names: identity, roster, certificates.
 *
 * @param config the path of a model owner's or data owner's config.toml
 * @param options of identity.json the passphrase, what `passphrase_file` names unless given; where the facilitator is, as the
 *   roster says unless given
 * @throws SealsumError config_invalid, identity_invalid, passphrase_wrong, party_unknown, role_forbidden
 */
export async function readParty(
  config: string,
  { passphrase, facilitator: url }: { readonly passphrase?: string; readonly facilitator?: string } = {},
): Promise<ReadParty> {
  const { role } = await readAnyConfig(config);
  if (role === 'facilitator')
    throw new SealsumError('role_forbidden', `${config}: a facilitator neither asks for sums nor gives vectors`, {
      field: 'role',
    });
  const services = {
    clock: systemClock,
    env: passphrase === undefined ? {} : { [passphraseVariable]: passphrase },
    terminal: nobody,
    createLog: (party: string) => createLog(party, 'silent'),
  };
  const loaded = await loadParty(role, { config, ...(url === undefined ? {} : { facilitator: url }) }, services);
  const { facilitator, identity, storageKey, parties, store } = loaded;
  return {
    facilitator: facilitator.url,
    facilitatorName: facilitator.name,
    facilitators: facilitator.others ?? {},
    ...(facilitator.tls === undefined ? {} : { tls: facilitator.tls }),
    identity,
    storageKey,
    parties,
    policy: loaded.config.role === 'data-owner' ? loaded.config.policy : openPolicy,
    storeLocation: store,
  };
}

/** A library asks no person. */
const nobody: Terminal = {
  interactive: false,
  ask: () => Promise.reject(new SealsumError('aborted', 'there is nobody to ask')),
  askHidden: () => Promise.reject(new SealsumError('aborted', 'there is nobody to ask')),
};
