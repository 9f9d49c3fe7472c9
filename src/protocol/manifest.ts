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
import { roundDigest } from './round-digest.ts';
import type {
  ContributionStatement,
  Manifest,
  ManifestLine,
  SignedManifest,
  SignedReceipt,
  SignedRound,
} from './round-messages.ts';
import { verifyObject } from './signed.ts';
import { contributingTo, type Folded, type JobTree } from './tree.ts';

/** SHA-256 of bytes, lowercase hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return toHex(hash(bytes));
}

/** The owners whose contributions stand behind the lines of a manifest, those of other facilitators' aggregates included. */
export function ownersIn(lines: readonly ManifestLine[]): readonly OwnerId[] {
  return lines.flatMap(({ owner, manifest }) =>
    manifest === undefined ? [owner] : ownersIn(manifest.manifest.contributions),
  );
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
 * contributor, each once and of the roster, at least a quorum of them; and where a line is the aggregate of another facilitator,
 * the same of its manifest, down to the owners.
 *
 * @param facilitator the one whose aggregate the model owner gets
 * @param round as the model owner signed it
 * @param bytes of one contribution, and of the aggregate
 * @param tree of the job, if it has one
 * @returns the owners whose contributions are in it, in the manifest's order
 * @throws SealsumError manifest_invalid naming what is wrong; signature_invalid
 */
export function verifyManifest(
  parties: Parties,
  facilitator: PartyId,
  round: SignedRound,
  bytes: number,
  signed: SignedManifest,
  tree?: JobTree,
): readonly OwnerId[] {
  const place = { job: { facilitator, ...(tree === undefined ? {} : { tree }) }, facilitator, round, bytes };
  const contributors = verifyPart(parties, place, signed);
  const { quorum } = round.descriptor;
  if (contributors.length < quorum)
    throw refusal(place)('contributions', `${contributors.length} contributors, and the quorum is ${quorum}`);
  return contributors;
}

/** Of which round, and at which facilitator, a manifest must be. */
export interface ManifestPlace {
  /** What the job says of who folds it. */
  readonly job: Folded;
  readonly facilitator: PartyId;
  readonly round: SignedRound;
  /** Of one contribution, and of an aggregate. */
  readonly bytes: number;
}

function refusal({ job: { tree }, facilitator, round }: ManifestPlace) {
  const whose = tree === undefined ? '' : ` by ${facilitator}`;
  return (field: keyof Manifest, why: string): SealsumError =>
    new SealsumError('manifest_invalid', `the manifest of round ${round.descriptor.round}${whose}: ${why}`, {
      field: `manifest.${field}`,
    });
}

/**
 * The same of one facilitator's part of a round, of which the quorum is that of a group.
 *
 * @throws SealsumError manifest_invalid naming what is wrong; signature_invalid
 */
export function verifyPart(
  parties: Parties,
  place: ManifestPlace,
  { manifest, signature }: SignedManifest,
): readonly OwnerId[] {
  const { job, facilitator, round, bytes } = place;
  const { descriptor } = round;
  const digest = roundDigest(descriptor);
  const refuse = refusal(place);
  if (manifest.job !== descriptor.job) throw refuse('job', `it is of job ${manifest.job}`);
  if (manifest.round !== descriptor.round) throw refuse('round', `it is of round ${manifest.round}`);
  if (manifest.job_digest !== descriptor.job_digest) throw refuse('job_digest', 'it is of another job descriptor');
  if (manifest.round_digest !== digest) throw refuse('round_digest', 'it is of another round descriptor');
  if (manifest.model_hash !== descriptor.model_hash) throw refuse('model_hash', 'it is of another model');
  verifyObject(parties, { name: facilitator, role: 'facilitator' }, 'manifest', manifest, signature);

  const due = contributingTo(job, descriptor, facilitator);
  if (due === undefined) throw refuse('contributions', `the round has no group for ${facilitator}`);
  const names = new Set(manifest.contributions.map(({ owner }) => owner));
  if (names.size !== manifest.contributions.length) throw refuse('contributions', 'an owner is in it twice');
  if (manifest.count !== names.size) throw refuse('count', `it says ${manifest.count} and names ${names.size}`);
  if (names.size < due.quorum)
    throw refuse('contributions', `${names.size} contributors, and the quorum is ${due.quorum}`);
  const roster = new Set(due.roster);
  return manifest.contributions.flatMap((line) => {
    const { owner } = line;
    if (!roster.has(owner)) throw refuse('contributions', `${owner} is not on the round's roster`);
    if (line.bytes !== bytes) throw refuse('contributions', `${owner} contributed ${line.bytes} bytes, not ${bytes}`);
    const statement = contributionStatement(round, digest, line);
    verifyObject(parties, { name: owner, role: due.role }, 'contribution', statement, line.signature);
    if (due.role === 'data-owner') {
      if (line.manifest !== undefined) throw refuse('contributions', `that of ${owner} has a manifest of its own`);
      return [owner];
    }
    if (line.manifest === undefined) throw refuse('contributions', `that of ${owner} is without its manifest`);
    if (line.manifest.manifest.aggregate_digest !== line.digest)
      throw refuse('contributions', `that of ${owner} is not the aggregate of its manifest`);
    return verifyPart(parties, { ...place, facilitator: owner }, line.manifest);
  });
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
