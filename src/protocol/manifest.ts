/**
 * What a manifest must be before anybody believes the aggregate it comes with, and how an owner finds its own contribution in
 * one. The facilitator signs the whole, every owner has signed its own line: nobody can be put in who did not contribute.
 */
import { SealsumError } from '../errors.ts';
import { toHex } from '../platform/bytes.ts';
import { sha256 as hash } from '../platform/hashes.ts';
import type { OwnerId, PartyId } from './identifiers.ts';
import type { Parties } from './parties.ts';
import type { AcceptedContribution } from './round.ts';
import type { ContributionStatement, Manifest, SignedManifest, SignedReceipt, SignedRound } from './round-messages.ts';
import { objectDigest, verifyObject } from './signed.ts';

/** SHA-256 of bytes, lowercase hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return toHex(hash(bytes));
}

/** What an owner signs of a contribution. */
export function contributionStatement(
  { descriptor }: SignedRound,
  roundDigest: string,
  { owner, digest, bytes }: Pick<AcceptedContribution, 'owner' | 'digest' | 'bytes'>,
): ContributionStatement {
  const { job, round } = descriptor;
  return { job, round, round_digest: roundDigest, owner, digest, bytes };
}

/**
 * Checks that a manifest accounts for a round: signed by the facilitator, of exactly this round, every line signed by its
 * owner, each owner once and on the round's roster, at least a quorum of them.
 *
 * @param round as the model owner signed it
 * @param bytes of one contribution, and of the aggregate
 * @returns the contributors, in the manifest's order
 * @throws SealsumError manifest_invalid naming what is wrong; signature_invalid
 */
export function verifyManifest(
  parties: Parties,
  facilitator: PartyId,
  round: SignedRound,
  bytes: number,
  { manifest, signature }: SignedManifest,
): readonly OwnerId[] {
  const { descriptor } = round;
  const roundDigest = objectDigest('round', descriptor);
  const refuse = (field: keyof Manifest, why: string): SealsumError =>
    new SealsumError('manifest_invalid', `the manifest of round ${descriptor.round}: ${why}`, {
      field: `manifest.${field}`,
    });
  if (manifest.job !== descriptor.job) throw refuse('job', `it is of job ${manifest.job}`);
  if (manifest.round !== descriptor.round) throw refuse('round', `it is of round ${manifest.round}`);
  if (manifest.job_digest !== descriptor.job_digest) throw refuse('job_digest', 'it is of another job descriptor');
  if (manifest.round_digest !== roundDigest) throw refuse('round_digest', 'it is of another round descriptor');
  if (manifest.model_hash !== descriptor.model_hash) throw refuse('model_hash', 'it is of another model');
  verifyObject(parties, { name: facilitator, role: 'facilitator' }, 'manifest', manifest, signature);

  const owners = new Set(manifest.contributions.map(({ owner }) => owner));
  if (owners.size !== manifest.contributions.length) throw refuse('contributions', 'an owner is in it twice');
  if (manifest.count !== owners.size) throw refuse('count', `it says ${manifest.count} and names ${owners.size}`);
  if (owners.size < descriptor.quorum)
    throw refuse('contributions', `${owners.size} contributors, and the quorum is ${descriptor.quorum}`);
  for (const contribution of manifest.contributions) {
    const { owner } = contribution;
    if (!descriptor.roster.includes(owner)) throw refuse('contributions', `${owner} is not on the round's roster`);
    if (contribution.bytes !== bytes)
      throw refuse('contributions', `${owner} contributed ${contribution.bytes} bytes, not ${bytes}`);
    const statement = contributionStatement(round, roundDigest, contribution);
    verifyObject(parties, { name: owner, role: 'data-owner' }, 'contribution', statement, contribution.signature);
  }
  return [...owners];
}

/**
 * Checks that a manifest includes what a receipt acknowledged.
 *
 * @throws SealsumError manifest_invalid when the contribution is missing or another; signature_invalid
 */
export function verifyInclusion(
  parties: Parties,
  facilitator: PartyId,
  { receipt, signature }: SignedReceipt,
  signed: SignedManifest,
): void {
  const signer = { name: facilitator, role: 'facilitator' } as const;
  verifyObject(parties, signer, 'receipt', receipt, signature);
  verifyObject(parties, signer, 'manifest', signed.manifest, signed.signature);
  const { manifest } = signed;
  const refuse = (why: string): SealsumError =>
    new SealsumError('manifest_invalid', `the manifest of round ${manifest.round} of job ${manifest.job} ${why}`, {
      field: 'manifest',
    });
  if (manifest.job !== receipt.job || manifest.round !== receipt.round)
    throw refuse(`is not of round ${receipt.round} of job ${receipt.job}, for which the receipt is`);
  if (manifest.round_digest !== receipt.round_digest) throw refuse('is of another round descriptor than the receipt');
  const line = manifest.contributions.find(({ owner }) => owner === receipt.owner);
  if (line === undefined) throw refuse(`leaves out ${receipt.owner}, whose contribution the receipt acknowledges`);
  if (line.digest !== receipt.digest || line.bytes !== receipt.bytes)
    throw refuse(`names other bytes of ${receipt.owner} than the receipt acknowledges`);
}
