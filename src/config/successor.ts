/** How a party changes its key: it names the new one, signed with the old one, and the new one signs the same. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { timestamp } from '../protocol/clock.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import { createParty, type Identity, type Role, roles } from '../protocol/identity.ts';
import { createParties } from '../protocol/parties.ts';
import { type ObjectSignature, objectSignatureSchema, signObject, verifyObject } from '../protocol/signed.ts';
import { createRoster, entryOf, partiesOf, type Roster } from './roster-file.ts';
import { checkDocument } from './signed-document.ts';

export interface Succession {
  readonly format: 'sealsum successor';
  readonly version: 1;
  readonly name: PartyId;
  readonly role: Role;
  /** The old public key in base64url. */
  readonly from: string;
  /** The new one. */
  readonly to: string;
  /** RFC 3339. */
  readonly at: string;
}

export interface SignedSuccession {
  readonly successor: Succession;
  /** With the old key: only it may name another. */
  readonly signature: ObjectSignature;
  /** With the new key: whoever names it has it. */
  readonly proof: ObjectSignature;
}

const signedSuccessionSchema: z.ZodType<SignedSuccession> = z.strictObject({
  successor: z.strictObject({
    format: z.literal('sealsum successor'),
    version: z.literal(1),
    name: partyIdSchema,
    role: z.enum(roles),
    from: z.string(),
    to: z.string(),
    at: z.iso.datetime(),
  }),
  signature: objectSignatureSchema,
  proof: objectSignatureSchema,
});

/** @param now milliseconds since 1970 */
export function createSuccession(before: Identity, after: Identity, now: number): SignedSuccession {
  const { name, role } = before;
  const successor: Succession = {
    format: 'sealsum successor',
    version: 1,
    name,
    role,
    from: before.publicKey,
    to: after.publicKey,
    at: timestamp(now),
  };
  return {
    successor,
    signature: signObject(before, 'successor', successor),
    proof: signObject(after, 'successor', successor),
  };
}

/** What a succession says, signed by a party of the roster. @throws SealsumError message_invalid, party_unknown, role_forbidden, signature_invalid, identity_invalid */
export function openSuccession(document: unknown, roster: Roster): Succession {
  const { successor, signature, proof } = checkDocument(signedSuccessionSchema, document, 'the successor statement');
  const { name, role, from, to } = successor;
  verifyObject(partiesOf(roster), { name, role }, 'successor', successor, signature);
  // An older key may have signed before it was followed by another; it names nobody any more.
  if (signature.key !== createParty(name, role, from).fingerprint)
    throw new SealsumError('signature_invalid', `the successor of ${name} is not signed with the key it follows`, {
      field: 'signature',
    });
  verifyObject(createParties([createParty(name, role, to)]), { name, role }, 'successor', successor, proof);
  return successor;
}

/**
 * The roster after a succession; the same one when it had been admitted before.
 *
 * @throws SealsumError identity_invalid when the party's present key is another than the one that is followed
 */
export function admitSuccession(roster: Roster, { name, from, to }: Succession): Roster {
  const entry = entryOf(roster, name);
  if (entry?.key === to && entry.previous[0] === from) return roster;
  if (entry?.key !== from)
    throw new SealsumError('identity_invalid', `the statement follows a key that is not the present one of ${name}`, {
      field: 'from',
    });
  return createRoster(
    roster.parties.map((each) => (each === entry ? { ...each, key: to, previous: [from, ...each.previous] } : each)),
  );
}
