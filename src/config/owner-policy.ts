/** What a data owner agrees to, whoever asks: the table [policy] of its config.toml, with the defaults filled in. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { type Caps, createCaps, isLimited } from '../privacy/budget.ts';
import type { Neighbours, NoisePlace, PrivacyUnit } from '../privacy/mode.ts';
import { type PartyId, partyIdSchema } from '../protocol/identifiers.ts';

/** Whether a job that the policy allows waits for a person of the owner's to approve it, or is taken part in at once. */
export type ConsentRule = 'ask' | 'automatic';

export interface OwnerPolicy {
  /** What may be spent of each data set, for each unit. */
  readonly caps: Caps;
  /** Whether a job without differential privacy is refused. */
  readonly requirePrivacy: boolean;
  /** Who may add the noise. */
  readonly places: readonly NoisePlace[];
  readonly units: readonly PrivacyUnit[];
  readonly neighbours: readonly Neighbours[];
  /**
   * Whether model owners are trusted to keep parameters that this owner does not see within the bound to which noise is calibrated, where others
   * than the model owner add it.
   */
  readonly trustParameterBound: boolean;
  /** The least number of contributors that every round must have; at least 2. */
  readonly leastQuorum: number;
  /** Who may propose jobs; every model owner of the roster unless given. */
  readonly modelOwners?: readonly PartyId[];
  /** Which columns jobs may use, the target's too: names, or numbers counted from 0. All unless given. */
  readonly features?: readonly (string | number)[];
  readonly consent: ConsentRule;
}

const everyPlace: readonly NoisePlace[] = ['model-owner', 'facilitator', 'data-owners'];
const everyUnit: readonly PrivacyUnit[] = ['record', 'owner'];
const bothNeighbours: readonly Neighbours[] = ['zero-out', 'substitution'];
const consentRules: readonly ConsentRule[] = ['ask', 'automatic'];

/** Nothing is refused that the protocol allows, but a promise of privacy that rests on what nobody can check. */
export const openPolicy: OwnerPolicy = {
  caps: {},
  requirePrivacy: false,
  places: everyPlace,
  units: everyUnit,
  neighbours: bothNeighbours,
  trustParameterBound: false,
  leastQuorum: 2,
  consent: 'automatic',
};

const column = z.union([z.string().min(1), z.number().int().min(0).max(99_999)], {
  error: 'expected the names of columns, or their numbers from 0 to 99999',
});

/** The table as it is written. */
export interface PolicyTable {
  readonly rho_per_round?: number;
  readonly rho_total?: number;
  readonly epsilon?: number;
  readonly delta?: number;
  readonly require_privacy?: boolean;
  readonly places?: readonly NoisePlace[];
  readonly units?: readonly PrivacyUnit[];
  readonly neighbours?: readonly Neighbours[];
  readonly trust_parameter_bound?: boolean;
  readonly least_quorum?: number;
  readonly model_owners?: readonly PartyId[];
  readonly features?: readonly (string | number)[];
  readonly consent?: ConsentRule;
}

export const ownerPolicySchema: z.ZodType<PolicyTable> = z
  .strictObject({
    rho_per_round: z.number().exactOptional(),
    rho_total: z.number().exactOptional(),
    epsilon: z.number().exactOptional(),
    delta: z.number().exactOptional(),
    require_privacy: z.boolean().exactOptional(),
    places: z.array(z.enum(everyPlace)).exactOptional(),
    units: z.array(z.enum(everyUnit)).exactOptional(),
    neighbours: z.array(z.enum(bothNeighbours)).exactOptional(),
    trust_parameter_bound: z.boolean().exactOptional(),
    least_quorum: z.number().int().min(2).max(1_000_000).exactOptional(),
    model_owners: z.array(partyIdSchema).exactOptional(),
    features: z.array(column).exactOptional(),
    consent: z.enum(consentRules, { error: 'expected "ask" or "automatic"' }).exactOptional(),
  })
  .prefault({});

/** @throws what `refuse` makes of a field and of why it makes no sense */
export function ownerPolicy(fields: PolicyTable, refuse: (field: string, why: string) => SealsumError): OwnerPolicy {
  const { rho_per_round, rho_total, epsilon, delta, require_privacy, places, units, neighbours } = fields;
  const { trust_parameter_bound: trustParameterBound = openPolicy.trustParameterBound } = fields;
  const { least_quorum: leastQuorum = openPolicy.leastQuorum, model_owners, features } = fields;
  const { consent = openPolicy.consent } = fields;
  for (const [field, list] of Object.entries({ places, units, neighbours, model_owners, features })) {
    if (list?.length === 0) throw refuse(field, 'is empty, so that every job would be refused; leave it out for all');
    const twice = list?.find((each, index) => (list as readonly unknown[]).indexOf(each) !== index);
    if (twice !== undefined) throw refuse(field, `names ${twice} twice; once is enough`);
  }
  const caps = capsOf({ rhoPerRound: rho_per_round, rhoTotal: rho_total, epsilon, delta }, refuse);
  if (isLimited(caps) && require_privacy === false)
    throw refuse(
      'require_privacy',
      'is false beside a cap, which nothing without differential privacy can keep; take one of them away',
    );
  const chosen = places ?? units ?? neighbours;
  return {
    caps,
    // Who says which noise must be there wants noise.
    requirePrivacy: require_privacy ?? (isLimited(caps) || chosen !== undefined),
    places: places ?? openPolicy.places,
    units: units ?? openPolicy.units,
    neighbours: neighbours ?? openPolicy.neighbours,
    trustParameterBound,
    leastQuorum,
    consent,
    ...(model_owners === undefined ? {} : { modelOwners: model_owners }),
    ...(features === undefined ? {} : { features }),
  };
}

function capsOf(
  settings: Parameters<typeof createCaps>[0],
  refuse: (field: string, why: string) => SealsumError,
): Caps {
  try {
    return createCaps(settings);
  } catch (error) {
    if (!(error instanceof SealsumError) || error.field === undefined) throw error;
    throw refuse(error.field, error.message.slice(error.field.length + 2));
  }
}
