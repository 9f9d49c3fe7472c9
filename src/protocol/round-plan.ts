/** Which of a job's plans a round has. */
import { SealsumError } from '../errors.ts';
import type { JobDescriptor } from './job-messages.ts';
import type { RoundDescriptor } from './round-messages.ts';
import type { WirePlan } from './wire-plan.ts';

/** @param round undefined where its descriptor was forgotten, and its blocks with it. @throws SealsumError plan_mismatch for a closing round of a job that has none */
export function roundPlan(
  { plan, closing_plan: closingPlan }: Pick<JobDescriptor, 'plan' | 'closing_plan'>,
  round: Pick<RoundDescriptor, 'round' | 'closing'> | undefined,
): WirePlan {
  if (round?.closing !== true) return plan;
  if (closingPlan !== undefined) return closingPlan;
  throw new SealsumError(
    'plan_mismatch',
    `round ${round.round} is to close the job, which has no plan for that (closing_plan)`,
    {
      field: 'closing',
    },
  );
}
