/** What a data owner asks of a round before it spends anything on it: that it is the one its job promised. */
import { SealsumError } from '../errors.ts';
import type { PublicKey } from '../paillier/public-key.ts';
import { decodeEncryptedParameters } from '../protocol/encrypted-parameters.ts';
import type { OwnerId } from '../protocol/identifiers.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import { countParameters } from '../protocol/parameters.ts';
import type { Parties } from '../protocol/parties.ts';
import { verifyRound } from '../protocol/round-digest.ts';
import type { RoundDescriptor, RoundView, SignedRound } from '../protocol/round-messages.ts';
import { requireGroups } from '../protocol/tree.ts';

/** What a job promised about its rounds. */
export interface RoundTerms {
  readonly job: JobDescriptor;
  /** Of the job descriptor. */
  readonly digest: string;
  readonly owner: OwnerId;
  /** The most rounds the job takes. */
  readonly rounds: number;
  /** Parameters that go out before every round. */
  readonly parameterCount: number;
  /** How many of them go out encrypted, and under which key; undefined where this owner sees them. */
  readonly encrypted?: { readonly count: number; readonly publicKey: PublicKey } | undefined;
  /** Whether every round states a clip of its own. */
  readonly adaptsClip: boolean;
  /** Of the round that closes the job, where there is one. */
  readonly closing?: { readonly parameterCount: number } | undefined;
}

/** Checks that the job's model owner signed a round. @throws SealsumError signature_invalid, party_unknown, role_forbidden */
export function requireSignedRound(parties: Parties, job: JobDescriptor, round: SignedRound): void {
  verifyRound(parties, job.model_owner, round);
}

/**
 * The round that a facilitator shows, once it is found to be signed by the job's model owner and to be what the job promised.
 *
 * @param round the number that was asked for
 * @throws SealsumError message_invalid, round_conflict, privacy_invalid, owners_too_few, owner_not_on_roster naming the field;
 *   signature_invalid, party_unknown, role_forbidden
 */
export function checkRound(parties: Parties, terms: RoundTerms, round: number, view: RoundView): SignedRound {
  const { signed } = view;
  if (signed === undefined) throw invalid('signed', `round ${round} is shown without what its model owner signed`);
  requireSignedRound(parties, terms.job, signed);
  requireSame(terms, round, signed.descriptor);
  requireAllowed(terms, signed.descriptor);
  requireGroups(terms.job, signed.descriptor);
  requireDeadline(signed.descriptor, view);
  return signed;
}

/** Whatever a round repeats of its job must be the same there. */
function requireSame({ job, digest }: RoundTerms, round: number, descriptor: RoundDescriptor): void {
  const expected: Partial<RoundDescriptor> = {
    job: job.job,
    round,
    job_digest: digest,
    model_hash: job.model_hash,
    quorum: job.quorum,
    deadline_seconds: job.deadline_seconds,
  };
  for (const [field, value] of Object.entries(expected))
    if (descriptor[field as keyof RoundDescriptor] !== value)
      throw new SealsumError('round_conflict', `the ${field} of round ${round} is not that of its job`, { field });
}

function requireAllowed(
  { job, owner, rounds, parameterCount, encrypted, adaptsClip, closing }: RoundTerms,
  { round, roster, parameters, encrypted_parameters: ciphertexts, clip, closing: isClosing }: RoundDescriptor,
): void {
  if (round > rounds)
    throw new SealsumError('privacy_invalid', `round ${round} is more than the ${rounds} rounds that the job stated`, {
      field: 'round',
    });
  if (roster.length < job.quorum)
    throw new SealsumError(
      'owners_too_few',
      `round ${round} asks ${roster.length} owners, and the quorum of the job is ${job.quorum}`,
      { field: 'roster' },
    );
  const invited = new Set(job.roster);
  const stranger = roster.find((each) => !invited.has(each));
  if (stranger !== undefined)
    throw new SealsumError('owner_not_on_roster', `round ${round} asks ${stranger}, whom its job does not name`, {
      field: 'roster',
    });
  if (!roster.includes(owner))
    throw new SealsumError('owner_not_on_roster', `the roster of round ${round} does not name ${owner}`, {
      field: 'roster',
    });
  if (isClosing === true && closing === undefined)
    throw invalid('closing', `round ${round} is to close the job, which has no such round`);
  const found = countParameters(parameters);
  const expected = isClosing === true ? closing?.parameterCount : parameterCount;
  if (found !== expected)
    throw invalid('parameters', `round ${round} gives ${found} parameters, the model has ${expected}`);
  if ((ciphertexts !== undefined) !== (encrypted !== undefined))
    throw invalid(
      'encrypted_parameters',
      `round ${round} gives ${ciphertexts === undefined ? 'no encrypted parameters' : 'encrypted parameters, and the model has none'}`,
    );
  if (ciphertexts !== undefined && encrypted !== undefined)
    decodeEncryptedParameters(encrypted.publicKey, ciphertexts, encrypted.count);
  if ((clip !== undefined) !== adaptsClip)
    throw invalid('clip', `round ${round} ${adaptsClip ? 'states no clip' : 'states a clip, and the job has its own'}`);
}

/** A facilitator may not wait for longer than the model owner and all owners agreed on. */
function requireDeadline({ round, deadline_seconds }: RoundDescriptor, { opened_at, deadline }: RoundView): void {
  const waits = Date.parse(deadline) - Date.parse(opened_at);
  if (!(waits <= deadline_seconds * 1000))
    throw invalid('deadline', `round ${round} is to wait longer than the ${deadline_seconds} s of its job`);
}

function invalid(field: string, message: string): SealsumError {
  return new SealsumError('message_invalid', message, { field });
}
