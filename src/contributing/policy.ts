/**
 * Whether an owner's policy lets it take part in a job. What is asked of a job stands in its descriptor, its document and the owner's
 * ledger: nothing here sees a record, so nobody learns anything of one from a refusal.
 */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import { type FieldPlace, fieldName } from '../learning/fields.ts';
import type { Composition } from '../privacy/accounting/composition.ts';
import { type BrokenRule, brokenCaps, isLimited, policyRefused, withoutPrivacy } from '../privacy/budget.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import type { JobSettings, SumTerms } from '../protocol/terms.ts';

/** A job as an owner has understood it by its own arithmetic. */
export interface ProposedJob {
  readonly descriptor: Pick<JobDescriptor, 'model_owner' | 'quorum'>;
  readonly settings: Pick<JobSettings, 'privacy'>;
  readonly terms: Pick<SumTerms, 'calibration'>;
  /** How many parameters this owner does not see; undefined where it sees them all. */
  readonly encryptedCount?: number | undefined;
  /** The columns of a data set that it uses. */
  readonly columns: readonly FieldPlace[];
  /** What other jobs have spent of the same account. */
  readonly spent: Composition;
}

/**
 * Refuses a job that the policy does not allow, naming every rule that is broken; a model owner that may not ask is told no other.
 *
 * All rounds that the job may run are held against the caps together. That only foresees: nothing is reserved for a job, and what
 * counts is what each round is charged.
 *
 * @throws SealsumError policy_refused with `field` the first rule, such as `policy.rho_total`
 */
export function requireAllowed(policy: OwnerPolicy, job: ProposedJob): void {
  const { model_owner } = job.descriptor;
  if (policy.modelOwners !== undefined && !policy.modelOwners.includes(model_owner))
    throw policyRefused([{ field: 'policy.model_owners', why: `this owner takes no part in jobs of ${model_owner}` }]);
  const broken = [...brokenByMode(policy, job), ...brokenByQuorum(policy, job), ...brokenByColumns(policy, job)];
  if (job.terms.calibration !== undefined) {
    const { rhoPerRound: rho, sampling, rounds } = job.terms.calibration;
    broken.push(...brokenCaps(policy.caps, { loss: { rho, sampling }, rounds, spent: job.spent }));
  }
  if (broken.length > 0) throw policyRefused(broken);
}

function brokenByMode(policy: OwnerPolicy, { settings: { privacy }, encryptedCount }: ProposedJob): BrokenRule[] {
  const { requirePrivacy, caps, places, units, neighbours } = policy;
  if (privacy === undefined) return requirePrivacy || isLimited(caps) ? [withoutPrivacy] : [];
  return [
    ...notAmong('places', places, privacy.place, 'noise added by'),
    ...notAmong('units', units, privacy.unit, 'the unit'),
    ...notAmong('neighbours', neighbours, privacy.neighbours, 'neighbours by'),
    ...(encryptedCount === undefined || privacy.place === 'model-owner' || policy.trustParameterBound
      ? []
      : [trustsParameterBound]),
  ];
}

/** Whoever lets the model owner add the noise trusts it already. */
const trustsParameterBound: BrokenRule = {
  field: 'policy.trust_parameter_bound',
  why:
    'the parameters are encrypted, so that only the model owner knows that they keep to the bound to which the noise is ' +
    'calibrated; this owner does not take its word',
};

function notAmong(rule: string, accepted: readonly string[], asked: string, what: string): BrokenRule[] {
  if (accepted.includes(asked)) return [];
  return [{ field: `policy.${rule}`, why: `the job has ${what} ${asked}; this owner accepts ${accepted.join(', ')}` }];
}

function brokenByQuorum({ leastQuorum }: OwnerPolicy, { descriptor: { quorum } }: ProposedJob): BrokenRule[] {
  if (quorum >= leastQuorum) return [];
  return [
    {
      field: 'policy.least_quorum',
      why: `the job has a quorum of ${quorum}; this owner wants at least ${leastQuorum}`,
    },
  ];
}

/** Columns that are named in a refusal; a model may have very many. */
const mostNamed = 5;

function brokenByColumns({ features }: OwnerPolicy, { columns }: ProposedJob): BrokenRule[] {
  if (features === undefined) return [];
  const released = new Set(features);
  // By its number a column could be any, so it is released by its number only.
  const isReleased = ({ name, col_idx }: FieldPlace): boolean => {
    const asked = name ?? col_idx;
    return asked !== undefined && released.has(asked);
  };
  const kept = columns.filter((field) => !isReleased(field)).map(fieldName);
  if (kept.length === 0) return [];
  const more = kept.length > mostNamed ? ` and ${kept.length - mostNamed} more` : '';
  const named = kept.slice(0, mostNamed).join(', ');
  return [{ field: 'policy.features', why: `the job uses columns that this owner does not release: ${named}${more}` }];
}
