/** What a data owner may know of a vector sum's privacy before it says or spends anything. */
import type { OwnerPolicy } from '../config/owner-policy.ts';
import type { Considered } from '../contributing/acceptance.ts';
import { requireAllowed } from '../contributing/policy.ts';
import { SealsumError } from '../errors.ts';
import { epsilonOf, NO_ROUNDS, roundsOf } from '../privacy/accounting/composition.ts';
import { brokenCaps, policyRefused } from '../privacy/budget.ts';
import { type LedgerEntry, spentOn } from '../privacy/ledger.ts';
import { type AccountView, ledgerStatement } from '../privacy/ledger-statement.ts';
import { toNumberAbove } from '../privacy/rational.ts';
import { type PrivacyStatement, privacyStatement } from '../privacy/statement.ts';
import type { JobId, PartyId } from '../protocol/identifiers.ts';
import type { JobDescriptor } from '../protocol/job-messages.ts';
import type { RoundView } from '../protocol/round-messages.ts';
import { noiseDeviation, privacyTerms } from '../protocol/terms.ts';
import type { VectorSum } from './document.ts';
import type { VectorJob } from './vector-job.ts';

/** What a job of vector sums promises and costs, as an owner computes it itself. */
export interface SumPrivacy {
  readonly job: JobId;
  readonly modelOwner: PartyId;
  /** What is summed, and in which fixed point. */
  readonly sum: VectorSum;
  /** How many owners may contribute, and how many do at least. */
  readonly owners: number;
  readonly quorum: number;
  /** What all rounds together promise, who adds the noise, whom that protects against and whom it does not. */
  readonly statement: PrivacyStatement;
  /** What one round costs; null: no differential privacy. ε is null without a δ, of the job or of the policy. */
  readonly perRound: { readonly rho: number; readonly epsilon: number | null; readonly delta: number | null } | null;
  /** The standard deviation of the noise on every value of a sum, in the values' own units; 0: none. */
  readonly noiseDeviation: number;
  /** What the ledger has charged to the data so far, and what the policy leaves of it. */
  readonly account: AccountView;
  /** The round that was asked about. */
  readonly round?: {
    readonly number: number;
    readonly status: RoundView['status'];
    /** How many owners it asks. */
    readonly asked: number;
    /** RFC 3339. */
    readonly deadline: string;
    /** Whether the ledger has charged it: it is not charged again. */
    readonly charged: boolean;
  };
  /** Why this owner's policy refuses the job, or the round; null: it does not. */
  readonly refused: SealsumError | null;
}

export interface Asking {
  readonly considered: Considered<VectorJob>;
  readonly descriptor: JobDescriptor;
  /** A round of it, checked. */
  readonly round: RoundView | undefined;
  readonly policy: OwnerPolicy;
  readonly entries: readonly LedgerEntry[];
  /** Whether this owner takes part already: what is left of its budget is a matter of each round then. */
  readonly joined: boolean;
}

export function sumPrivacy({ considered, descriptor, round, policy, entries, joined }: Asking): SumPrivacy {
  const { settings, terms } = considered.job;
  const { calibration, plan } = terms;
  const { dataset } = considered.cost;
  const { job, model_owner, roster, quorum } = descriptor;
  const mine = entries.filter((entry) => entry.unit === 'owner' && (entry.dataset ?? dataset) === dataset);
  const charged = mine.some((entry) => entry.job === job && entry.round === round?.round);
  const [account] = ledgerStatement(entries, policy.caps, [{ dataset, unit: 'owner' }]).accounts.filter(
    (each) => each.dataset === dataset && each.unit === 'owner',
  );
  if (account === undefined) throw new SealsumError('internal', 'the ledger shows no account of its data set');
  const loss = calibration && { rho: calibration.rhoPerRound, sampling: calibration.sampling };
  const delta = calibration?.delta ?? policy.caps.target?.delta ?? null;
  return {
    job,
    modelOwner: model_owner,
    sum: settings,
    owners: roster.length,
    quorum,
    statement: privacyStatement(privacyTerms(settings, terms), 0),
    perRound:
      loss === undefined
        ? null
        : {
            rho: toNumberAbove(loss.rho),
            epsilon: delta === null ? null : epsilonOf(roundsOf(loss, 1), delta).epsilon,
            delta,
          },
    noiseDeviation: noiseDeviation(terms) / plan.scale,
    account,
    ...(round === undefined
      ? {}
      : {
          round: {
            number: round.round,
            status: round.status,
            asked: round.roster.length,
            deadline: round.deadline,
            charged,
          },
        }),
    refused: refusalOf(() => {
      const spent = joined ? NO_ROUNDS : considered.spent;
      requireAllowed(policy, { descriptor, settings, terms, columns: [], spent });
      if (round === undefined || charged) return;
      const broken = brokenCaps(policy.caps, { loss: loss ?? null, rounds: 1, spent: spentOn(mine) });
      if (broken.length > 0) throw policyRefused(broken);
    }),
  };
}

function refusalOf(check: () => void): SealsumError | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof SealsumError) return error;
    throw error;
  }
}
