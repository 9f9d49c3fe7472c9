/**
 * One round from its signed descriptor to its sum. Nothing that the facilitator says about a round is
 * believed: who contributed is what the owners signed, and what is in the sum is what their tags say.
 */
import { isDeepStrictEqual } from 'node:util';
import type { TagCheck } from '../encoding/packing.ts';
import { SealsumError } from '../errors.ts';
import type { Trainer } from '../learning/trainer.ts';
import type { OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import type { SignedJob } from '../protocol/job-messages.ts';
import { sha256, verifyManifest } from '../protocol/manifest.ts';
import { encodeParameters } from '../protocol/parameters.ts';
import type { Parties } from '../protocol/parties.ts';
import { roundDigest, verifyRound } from '../protocol/round-digest.ts';
import type { RoundDescriptor, RoundView, SignedRound } from '../protocol/round-messages.ts';
import { signObject } from '../protocol/signed.ts';
import { checkTags, type TagContext } from '../protocol/tags.ts';
import type { Group } from '../protocol/tree.ts';
import type { OwnerRegister } from './owner-register.ts';

/** What is the same for all rounds of a job. */
export interface RoundTerms {
  readonly signed: SignedJob;
  /** Of the job's descriptor. */
  readonly jobDigest: string;
  readonly identity: Identity;
  readonly facilitator: PartyId;
  readonly parties: () => Parties;
}

/** What a round is asked with. */
export interface Asked extends Pick<Trainer, 'parameters' | 'clip' | 'closing'> {
  /** Where owners do not see the parameters: their encryptions, in place of them (encodeEncryptedParameters). */
  readonly encrypted?: string | undefined;
  /** Where the job is folded as a tree. */
  readonly groups?: readonly Group[];
}

/** A round of the job as its model owner asks for it. */
export function signRound(terms: RoundTerms, round: number, roster: readonly OwnerId[], asked: Asked): SignedRound {
  const descriptor = describeRound(terms, round, roster, asked);
  return { descriptor, signature: signObject(terms.identity, 'round', descriptor) };
}

function describeRound(
  { signed, jobDigest }: RoundTerms,
  round: number,
  roster: readonly OwnerId[],
  { parameters, encrypted, clip, closing, groups }: Asked,
): RoundDescriptor {
  const { job, model_hash, quorum, deadline_seconds } = signed.descriptor;
  return {
    job,
    round,
    job_digest: jobDigest,
    model_hash,
    roster,
    quorum,
    deadline_seconds,
    parameters: encodeParameters(encrypted === undefined ? parameters : []),
    ...(encrypted === undefined ? {} : { encrypted_parameters: encrypted }),
    ...(clip === undefined ? {} : { clip }),
    ...(closing === true ? { closing } : {}),
    ...(groups === undefined ? {} : { groups }),
  };
}

/**
 * What was signed for a round before a restart, as the facilitator shows it.
 *
 * @param asked what the round must have been asked with
 * @throws SealsumError round_conflict when it is not what this model owner would have asked for; signature_invalid
 */
export function adoptRound(terms: RoundTerms, view: RoundView, round: number, asked: Asked): SignedRound {
  const refuse = (why: string): SealsumError =>
    new SealsumError('round_conflict', `round ${round} at the facilitator is not the one that was asked for: ${why}`, {
      field: 'round',
    });
  const { signed } = view;
  if (signed === undefined) throw refuse('it shows no signed descriptor');
  const { descriptor } = signed;
  verifyRound(terms.parties(), terms.identity.name, signed);
  const expected = describeRound(terms, round, descriptor.roster, asked);
  const fields = [
    'job',
    'round',
    'job_digest',
    'model_hash',
    'quorum',
    'deadline_seconds',
    'parameters',
    'encrypted_parameters',
    'clip',
    'closing',
    'groups',
  ] as const;
  for (const field of fields)
    if (!isDeepStrictEqual(descriptor[field], expected[field])) throw refuse(`its ${field} differs`);
  return signed;
}

/**
 * Checks everything about a closed round that can be checked without opening its sum.
 *
 * @param signed what this model owner asked for
 * @param bytes of one contribution, and of an aggregate
 * @returns the contributors, in the manifest's order
 * @throws SealsumError manifest_invalid, signature_invalid
 */
export function verifyClosed(
  { facilitator, parties, signed: job }: RoundTerms,
  signed: SignedRound,
  { manifest, round }: RoundView,
  aggregate: Uint8Array,
  bytes: number,
): readonly OwnerId[] {
  const refuse = (field: string, why: string): SealsumError =>
    new SealsumError('manifest_invalid', `the manifest of round ${round}: ${why}`, { field });
  if (manifest === undefined) throw refuse('manifest', 'there is none, and the round is closed');
  const contributors = verifyManifest(parties(), facilitator, signed, bytes, manifest, job.descriptor.tree);
  if (aggregate.length !== bytes)
    throw refuse('manifest.aggregate_digest', `the aggregate has ${aggregate.length} bytes, not ${bytes}`);
  if (manifest.manifest.aggregate_digest !== sha256(aggregate))
    throw refuse('manifest.aggregate_digest', 'it is of another aggregate than the one that came');
  return contributors;
}

/** What the tags of a round are of. */
export function tagContext({ jobDigest }: RoundTerms, { descriptor }: SignedRound): TagContext {
  return { job: jobDigest, round: descriptor.round, roundDigest: roundDigest(descriptor) };
}

/**
 * Checks that exactly these contributors are in a sum.
 *
 * @param contexts the round's, and those of earlier rounds whose contributions may have been replayed
 * @throws SealsumError tag_mismatch, identity_invalid; the check itself tag_mismatch
 */
export function tagCheck(
  register: OwnerRegister,
  contributors: readonly OwnerId[],
  [context, ...earlier]: readonly [TagContext, ...TagContext[]],
): TagCheck {
  const keys = new Map(contributors.map((owner) => [owner, register.tagKeyOf(owner)]));
  return (sums) => {
    checkTags(sums, keys, context, earlier);
  };
}

/** How many earlier rounds are looked through for a replayed contribution, to name it. */
const replaysLookedFor = 16;

/** Notes the context of a round that was opened: newest first. */
export function noteContext(earlier: TagContext[], context: TagContext): void {
  earlier.unshift(context);
  earlier.splice(replaysLookedFor);
}
