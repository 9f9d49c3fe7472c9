/**
 * How a party on another machine comes into a roster: whoever keeps the roster sends an invitation, signed; the invited party
 * makes its own key and sends back its public half, signed with it; people compare fingerprints; the roster keeper admits it.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { RandomBytes } from '../paillier/random.ts';
import { timestamp } from '../protocol/clock.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import {
  createParty,
  type Fingerprint,
  fingerprintSchema,
  type Identity,
  type Party,
  type Role,
  roles,
} from '../protocol/identity.ts';
import { createParties } from '../protocol/parties.ts';
import {
  type ObjectSignature,
  objectDigest,
  objectSignatureSchema,
  signObject,
  verifyObject,
} from '../protocol/signed.ts';
import { createRoster, entryOf, partiesOf, type Roster, type RosterEntry, rosterEntrySchema } from './roster-file.ts';
import { checkDocument } from './signed-document.ts';
import { partyUrlSchema } from './urls.ts';

export interface Invitation {
  readonly format: 'sealsum invitation';
  readonly version: 1;
  /** Who is invited, and as what. */
  readonly name: PartyId;
  readonly role: Role;
  readonly facilitator: { readonly name: PartyId; readonly url: string; readonly fingerprint: Fingerprint };
  /** Who belongs so far. */
  readonly roster: readonly RosterEntry[];
  /** RFC 3339. */
  readonly expires: string;
  /** 16 random bytes in base64url, so that no two invitations are alike. */
  readonly nonce: string;
}

/** The facilitator signs, whose machine keeps the roster. */
export interface SignedInvitation {
  readonly invitation: Invitation;
  readonly signature: ObjectSignature;
}

/** What an invited party sends back. */
export interface JoinRequest {
  readonly format: 'sealsum answer to an invitation';
  readonly version: 1;
  /** The digest of the invitation. */
  readonly invitation: string;
  readonly name: PartyId;
  readonly role: Role;
  /** The 32 bytes of its public key in base64url. */
  readonly key: string;
}

/** Signed with the key that it names. */
export interface SignedJoinRequest {
  readonly join: JoinRequest;
  readonly signature: ObjectSignature;
}

const signedInvitationSchema: z.ZodType<SignedInvitation> = z.strictObject({
  invitation: z.strictObject({
    format: z.literal('sealsum invitation'),
    version: z.literal(1),
    name: partyIdSchema,
    role: z.enum(roles),
    facilitator: z.strictObject({ name: partyIdSchema, url: partyUrlSchema, fingerprint: fingerprintSchema }),
    roster: z.array(rosterEntrySchema),
    expires: z.iso.datetime(),
    nonce: z.string().regex(/^[A-Za-z0-9_-]{21}[AQgw]$/),
  }),
  signature: objectSignatureSchema,
});

const signedJoinRequestSchema: z.ZodType<SignedJoinRequest> = z.strictObject({
  join: z.strictObject({
    format: z.literal('sealsum answer to an invitation'),
    version: z.literal(1),
    invitation: z.string().regex(/^[0-9a-f]{64}$/),
    name: partyIdSchema,
    role: z.enum(roles),
    key: z.string(),
  }),
  signature: objectSignatureSchema,
});

export interface InvitationRequest {
  readonly name: PartyId;
  readonly role: Role;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/**
 * @param facilitator the identity of the roster's facilitator
 * @throws SealsumError identity_invalid when the name is taken; config_invalid when the roster does not say where the
 *   facilitator is
 */
export function createInvitation(
  facilitator: Identity,
  roster: Roster,
  { name, role, expires }: InvitationRequest,
  random: RandomBytes,
): SignedInvitation {
  if (entryOf(roster, name) !== undefined)
    throw new SealsumError('identity_invalid', `${name} is on the roster already`, { field: 'name' });
  const url = entryOf(roster, facilitator.name)?.url;
  if (url === undefined)
    throw new SealsumError('config_invalid', `the roster names no url of ${facilitator.name}: put it there first`, {
      field: 'url',
    });
  const invitation: Invitation = {
    format: 'sealsum invitation',
    version: 1,
    name,
    role,
    facilitator: { name: facilitator.name, url, fingerprint: facilitator.fingerprint },
    roster: roster.parties,
    expires: timestamp(expires),
    nonce: Buffer.from(random(16)).toString('base64url'),
  };
  return { invitation, signature: signObject(facilitator, 'invitation', invitation) };
}

/**
 * An invitation from the JSON of its file. That it is signed says that nobody changed it since; who signed is for people to
 * compare, by the facilitator's fingerprint.
 *
 * @param now milliseconds since 1970
 * @throws SealsumError message_invalid, signature_invalid, signature_expired, identity_invalid
 */
export function openInvitation(document: unknown, now: number): SignedInvitation {
  const signed = checkDocument(signedInvitationSchema, document, 'the invitation');
  const { invitation, signature } = signed;
  const { facilitator } = invitation;
  const roster = createRoster(invitation.roster);
  const parties = partiesOf(roster);
  verifyObject(parties, { name: facilitator.name, role: 'facilitator' }, 'invitation', invitation, signature);
  if (parties.byKey(facilitator.fingerprint)?.name !== facilitator.name || signature.key !== facilitator.fingerprint)
    throw new SealsumError('signature_invalid', `the invitation is not signed with the key of ${facilitator.name}`, {
      field: 'signature',
    });
  requireUnexpired(invitation, now);
  return signed;
}

/** The answer of a party with a fresh identity. */
export function createJoinRequest({ invitation }: SignedInvitation, identity: Identity): SignedJoinRequest {
  const join: JoinRequest = {
    format: 'sealsum answer to an invitation',
    version: 1,
    invitation: objectDigest('invitation', invitation),
    name: identity.name,
    role: identity.role,
    key: identity.publicKey,
  };
  return { join, signature: signObject(identity, 'invitation', join) };
}

/**
 * The party that answers one of the invitations that were sent.
 *
 * @param invitations what was sent, as it was kept
 * @throws SealsumError message_invalid, signature_invalid, signature_expired, identity_invalid
 */
export function openJoinRequest(document: unknown, invitations: readonly SignedInvitation[], now: number): Party {
  const { join, signature } = checkDocument(signedJoinRequestSchema, document, 'the answer to an invitation');
  const { name, role } = join;
  const party = createParty(name, role, join.key);
  verifyObject(createParties([party]), { name, role }, 'invitation', join, signature);
  const answered = invitations.find(({ invitation }) => objectDigest('invitation', invitation) === join.invitation);
  if (answered === undefined)
    throw new SealsumError('signature_invalid', `${name} answers an invitation that was not sent from here`, {
      field: 'invitation',
    });
  if (answered.invitation.name !== name || answered.invitation.role !== role)
    throw new SealsumError(
      'role_forbidden',
      `the invitation is for ${answered.invitation.name} as ${answered.invitation.role}, not for ${name} as ${role}`,
      { field: 'name' },
    );
  requireUnexpired(answered.invitation, now);
  return party;
}

function requireUnexpired({ name, expires }: Invitation, now: number): void {
  if (now > Date.parse(expires))
    throw new SealsumError('signature_expired', `the invitation of ${name} was good until ${expires}; send another`, {
      field: 'expires',
    });
}
