/**
 * `sealsum/client`: what a data owner in vector sums needs and nothing else, in Node as in a browser. A bundler, or a page itself, takes
 * dist/browser/client.js, in which the modules that Node alone can load stand exchanged: each x.ts for the x.browser.ts beside it.
 */

export { openSecrets, type Secrets, sealSecrets } from './config/sealed-identity.ts';
export { createKeyChecks, type KeyChecks } from './contributing/key-checks.ts';
export { type ErrorCode, SealsumError } from './errors.ts';
export { type RandomBytes, systemRandom } from './paillier/random.ts';
export type { LedgerStore } from './privacy/ledger.ts';
export { type Clock, systemClock } from './protocol/clock.ts';
export { type OwnerId, ownerIdSchema, type PartyId, partyIdSchema } from './protocol/identifiers.ts';
export { createIdentity, createParty, type Identity, type Party, type Role } from './protocol/identity.ts';
export { createParties, type Parties } from './protocol/parties.ts';
export { Client } from './vector-sum/client.ts';
export type { ClientOptions, Submission, SubmitOptions } from './vector-sum/client-options.ts';
export { type ClientStore, memoryClientStore } from './vector-sum/client-store.ts';
export type { VectorSum } from './vector-sum/document.ts';
export { openClientStore } from './vector-sum/open-client-store.ts';
export type { JobReference, RoundReference } from './vector-sum/references.ts';
export type { SumPrivacy } from './vector-sum/sum-privacy.ts';
export type { Expected } from './vector-sum/vector-job.ts';
