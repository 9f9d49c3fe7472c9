/** Everybody who belongs: the parties that a roster file names, found by name or by key. */
import { SealsumError } from '../errors.ts';
import type { PartyId } from './identifiers.ts';
import type { Fingerprint, Party, Role } from './identity.ts';

/** Who belongs, to be asked by key or by name. */
export interface Parties {
  readonly all: readonly Party[];
  /** The party with this key, if it is its present one. */
  byKey(fingerprint: Fingerprint): Party | undefined;
  /** The party with this name and role. @throws SealsumError party_unknown, role_forbidden */
  named(name: PartyId, role: Role): Party;
  /** The keys that a party has had, the present one first: what it signed with an older one stays signed. */
  keysOf(name: PartyId): readonly Party[];
}

/**
 * Who belongs, to be asked by key or by name.
 *
 * @param members one entry a party
 * @param predecessors older keys of the same parties, in the same roles
 * @throws SealsumError identity_invalid when a name or a key comes twice, or an older key is of nobody here
 */
export function createParties(members: readonly Party[], predecessors: readonly Party[] = []): Parties {
  const byName = new Map<PartyId, Party>();
  const byKey = new Map<Fingerprint, Party>();
  const keysByName = new Map<PartyId, Party[]>();
  const keys = new Set<Fingerprint>();
  const refuse = (name: PartyId, why: string): SealsumError =>
    new SealsumError('identity_invalid', why, { field: name });
  for (const party of members) {
    const { name, fingerprint } = party;
    if (byName.has(name)) throw refuse(name, `${name} is named twice`);
    byName.set(name, party);
    byKey.set(fingerprint, party);
    keysByName.set(name, []);
  }
  for (const party of [...members, ...predecessors]) {
    const { name, role, fingerprint } = party;
    if (keys.has(fingerprint)) throw refuse(name, `the key of ${name} is named twice`);
    keys.add(fingerprint);
    if (byName.get(name)?.role !== role) throw refuse(name, `an older key is of ${name} as ${role}, which nobody is`);
    keysByName.get(name)?.push(party);
  }
  return {
    all: members,
    byKey: (fingerprint) => byKey.get(fingerprint),
    named: (name, role) => {
      const party = byName.get(name);
      if (party === undefined)
        throw new SealsumError('party_unknown', `the roster file names no ${name}`, { field: 'party' });
      if (party.role !== role)
        throw new SealsumError('role_forbidden', `${name} is a ${party.role}, not a ${role}`, { field: 'party' });
      return party;
    },
    keysOf: (name) => keysByName.get(name) ?? [],
  };
}
