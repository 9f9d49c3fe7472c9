/** Proposing a job: everything that is fixed before its first round, signed, and kept before anybody hears of it. */
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import { agreedTerms, signJob } from '../../src/collecting/proposal.ts';
import { SealsumError } from '../../src/errors.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';
import { canonicalDigest, objectDigest } from '../../src/protocol/signed.ts';
import type { AnyTerms } from '../../src/protocol/terms.ts';
import type { TrainingRecord } from '../../src/storage/model-store.ts';
import type { Reach } from './checkpoints.ts';
import { type JobKeys, openJobKeys, sealJobKeys } from './job-keys.ts';
import type { Measures } from './measures.ts';

export interface ProposalOptions {
  readonly job: JobId;
  readonly model: AnyModel;
  readonly terms: AnyTerms;
  readonly roster: readonly OwnerId[];
  readonly identity: Identity;
  readonly facilitator: PartyId;
  /** 32 bytes, under which the keys are sealed for the store. */
  readonly storageKey: Uint8Array;
  readonly newKey: NewKeySource;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly measures: Measures;
  readonly signal: AbortSignal;
  readonly reach: Reach;
}

type Proposal = NonNullable<TrainingRecord['proposal']>;

/** A proposal as it is kept, and what it takes to work with it. */
export interface Proposed {
  readonly proposal: Proposal;
  readonly keys: JobKeys;
  /** Of the descriptor. */
  readonly digest: string;
}

/** Makes the keys of a new job, proves its modulus, and signs its descriptor. */
export async function propose(options: ProposalOptions): Promise<Proposed> {
  const { job, model, identity, clock, measures, signal, reach } = options;
  const started = clock.monotonic();
  const key = await options.newKey({ bits: model.encryption.key_bits, signal });
  const generated = clock.monotonic();
  measures.crypto('generate', generated - started);
  reach('model-owner.keys.generated');
  const proof = await key.prove(modulusProofContext(job, identity.name), signal);
  measures.crypto('prove', clock.monotonic() - generated);
  reach('model-owner.keys.proven');
  const { keys, sealed } = sealJobKeys(job, key.keyPair, options.storageKey, options.random);
  const document = modelForOwners(model);
  const { publicKey } = key.keyPair;
  const proposed = { ...options, settings: model, document, publicKey, proof, tagKey: keys.tagSecret.publicKey };
  const signed = signJob(proposed);
  reach('model-owner.proposal.signed');
  return { proposal: { signed, sealedKeys: sealed }, keys, digest: objectDigest('job', signed.descriptor) };
}

/**
 * What was proposed before a restart.
 *
 * @throws SealsumError plan_mismatch when this version of sealsum would propose other terms for the same model; identity_invalid
 *   when the keys were sealed by another identity
 */
export function reopenProposal(
  proposal: Proposal,
  options: Pick<ProposalOptions, 'job' | 'model' | 'terms' | 'roster' | 'storageKey'>,
): Proposed {
  const { descriptor } = proposal.signed;
  const terms = agreedTerms({ ...options, settings: options.model });
  for (const name of ['plan', 'roster', 'quorum', 'deadline_seconds', 'noise'] as const)
    if (canonicalDigest(descriptor[name]) !== canonicalDigest(terms[name]))
      throw new SealsumError(
        'plan_mismatch',
        `the job was proposed with another ${name} than this version of sealsum gives; delete the model and post it again`,
        { field: name },
      );
  const keys = openJobKeys(options.job, proposal.sealedKeys, options.storageKey);
  return { proposal, keys, digest: objectDigest('job', descriptor) };
}

/**
 * Owners have no use for the rows that the model owner wants predicted; where they do not see parameters, nor for those that a training begins
 * with. JSON has no `undefined`, and neither has what is signed. */
function modelForOwners(model: AnyModel): Readonly<Record<string, unknown>> {
  const hidesStart = 'model_visibility' in model && model.model_visibility === 'encrypted';
  const training = hidesStart ? { training: { ...model.training, initial_parameters: undefined } } : {};
  return JSON.parse(JSON.stringify({ ...model, ...training, evaluation: undefined })) as Record<string, unknown>;
}
