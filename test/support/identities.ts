/** Parties for tests: the same name has the same key in every test and every run. */
import { createHash } from 'node:crypto';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../src/protocol/identity.ts';

/** @param generation another number, another key of the same party */
export function testIdentity(name: string, role: Role, generation = 0): Identity {
  const seed = createHash('sha256').update(`test identity ${name} ${role} ${generation}`).digest();
  return createIdentity(partyIdSchema.parse(name), role, seed);
}
