/** What a model owner proposes: everything that is fixed before a job's first round, signed. */
import type { ModulusProof } from '../paillier/modulus-proof.ts';
import { type PublicKey, publicKeyToJwk } from '../paillier/public-key.ts';
import type { JobId, OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { Identity } from '../protocol/identity.ts';
import type { JobDescriptor, SignedJob } from '../protocol/job-messages.ts';
import { canonicalDigest, signObject } from '../protocol/signed.ts';
import { type JobSettings, noiseToWire, type SumTerms } from '../protocol/terms.ts';
import type { JobTree } from '../protocol/tree.ts';
import { planToWire } from '../protocol/wire-plan.ts';

/** What is agreed on besides who, where and under which keys. */
export interface Agreement {
  readonly settings: JobSettings;
  readonly terms: SumTerms;
  readonly roster: readonly OwnerId[];
}

export interface JobProposal extends Agreement {
  readonly job: JobId;
  readonly identity: Identity;
  readonly facilitator: PartyId;
  /** Whose root that is. */
  readonly tree?: JobTree;
  /** What owners read the settings and the terms from; JSON. */
  readonly document: JobDescriptor['model'];
  readonly publicKey: PublicKey;
  /** Of the key, bound by modulusProofContext(). */
  readonly proof: ModulusProof;
  /** The model owner's public key for tags. */
  readonly tagKey: string;
}

export function signJob(proposal: JobProposal): SignedJob {
  const { job, identity, facilitator, tree, document, publicKey, proof, tagKey } = proposal;
  const descriptor: JobDescriptor = {
    job,
    model_owner: identity.name,
    facilitator,
    ...(tree === undefined ? {} : { tree }),
    model: document,
    model_hash: canonicalDigest(document),
    public_key: publicKeyToJwk(publicKey),
    public_key_proof: proof,
    tag_key: tagKey,
    ...agreedTerms(proposal),
  };
  return { descriptor, signature: signObject(identity, 'job', descriptor) };
}

/** What follows from the document and the roster. */
export function agreedTerms({
  settings,
  terms,
  roster,
}: Agreement): Pick<JobDescriptor, 'plan' | 'closing_plan' | 'roster' | 'quorum' | 'deadline_seconds' | 'noise'> {
  const { quorum, deadline_seconds } = settings.participation;
  const closing = terms.closing === undefined ? {} : { closing_plan: planToWire(terms.closing.plan) };
  return {
    plan: planToWire(terms.plan),
    ...closing,
    roster,
    quorum,
    deadline_seconds,
    noise: noiseToWire(settings, terms),
  };
}
