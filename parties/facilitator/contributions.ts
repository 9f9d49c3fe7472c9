/**
 * How a contribution is taken: announced, its owner's signature verified, then its bytes as they arrive, and then it is accepted.
 * Its sender gets a receipt that the same bytes get again at any time.
 */
import { SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId } from '../../src/protocol/identifiers.ts';
import type { Party } from '../../src/protocol/identity.ts';
import type { AcceptedContribution } from '../../src/protocol/round.ts';
import type { ContributionStatement, SignedReceipt } from '../../src/protocol/round-messages.ts';
import { roundPlan } from '../../src/protocol/round-plan.ts';
import { type ObjectSignature, signObject, verifyObject } from '../../src/protocol/signed.ts';
import { createAcceptance } from './acceptance.ts';
import { blocksOf } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { Keys } from './keys.ts';
import type { Reports } from './reports.ts';
import type { Rounds } from './rounds.ts';
import { type Announced, createUploads, tooLong, tooShort } from './uploads.ts';

/** A contribution on its way. */
export interface ContributionRequest extends Announced {
  readonly owner: OwnerId;
  /** How many bytes will come. */
  readonly bytes: number;
  /** Of the statement about these bytes, kind `contribution`. */
  readonly signature: ObjectSignature;
}

export interface Receipt {
  /** Whether these bytes were accepted now, and not before. */
  readonly created: boolean;
  readonly value: SignedReceipt;
}

/**
 * Takes a contribution from the owner that makes it.
 *
 * @throws SealsumError role_forbidden, job_unknown, job_ended, round_unknown, signature_invalid, body_too_large,
 *   ciphertext_invalid, owner_not_on_roster, contribution_conflict, round_closed, round_abandoned, overloaded
 */
export type Contribute = (party: Party, request: ContributionRequest) => Promise<Receipt>;

export function createContribute(
  context: FacilitatorContext,
  keys: Keys,
  rounds: Rounds,
  reports: Reports,
): Contribute {
  const { identity, parties, checkpoint, metrics, limits, books, turns } = context;
  const uploads = createUploads(context);
  const acceptance = createAcceptance(context, keys, rounds);

  function receiptFor(statement: ContributionStatement): SignedReceipt {
    return { receipt: statement, signature: signObject(identity, 'receipt', statement) };
  }

  /** As what a party contributes in its own name. */
  function standingAs(party: Party, job: JobId, owner: OwnerId): 'data-owner' | 'facilitator' {
    if (party.role !== 'facilitator') books.register.joinedBy(party, job, owner);
    else books.register.foldedFrom(party, job, owner);
    return party.role === 'facilitator' ? 'facilitator' : 'data-owner';
  }

  async function contribute(party: Party, request: ContributionRequest): Promise<Receipt> {
    const { job, round, owner, digest, bytes, signature } = request;
    const role = standingAs(party, job, owner);
    const record = await books.existingJob(job);
    const found = await books.existingRound(job, round);
    const statement: ContributionStatement = { job, round, round_digest: found.digest, owner, digest, bytes };
    const blocks = blocksOf(roundPlan(record.signed.descriptor, found.signed?.descriptor), limits.blockBytes);
    if (bytes > blocks.bytes) throw tooLong(blocks);
    if (bytes < blocks.bytes) throw tooShort(blocks, bytes);
    // Many may have waited for the same round.
    await turns.take();
    verifyObject(parties(), { name: owner, role }, 'contribution', statement, signature);
    if (role === 'facilitator') await reports.requireManifest(found, statement);
    const accepted: AcceptedContribution = { owner, digest, bytes, signature };
    if (acceptance.foresee(found.state, accepted) === found.state) {
      // The answer to the first time may have been lost together with what was to follow it.
      if (record.status === 'open') rounds.watch(found.state);
      return { created: false, value: receiptFor(statement) };
    }
    await books.openJob(job);
    checkpoint('facilitator.contribution.signature-verified');
    await using upload = await uploads.receive(request, blocks, keys.publicKeyOf(record));
    const created = await acceptance.accept(accepted, upload, blocks);
    // Many are accepted at once, and each has its receipt signed and sent.
    await turns.take();
    const value = receiptFor(statement);
    checkpoint('facilitator.contribution.before-answer');
    return { created, value };
  }

  return async (party, request) => {
    try {
      const receipt = await contribute(party, request);
      metrics.contribution(receipt.created ? 'accepted' : 'repeated');
      return receipt;
    } catch (error) {
      metrics.contribution(error instanceof SealsumError ? error.code : 'internal');
      throw error;
    }
  };
}
