/** Who is asked to contribute to a model. */
import { SealsumError } from '../../src/errors.ts';
import type { AnyModel } from '../../src/learning/model-document.ts';
import { type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { Parties } from '../../src/protocol/parties.ts';

/**
 * The owners that the model names, else those of the configuration, else every data owner that belongs.
 *
 * @throws SealsumError owners_too_few when they are fewer than the quorum; model_invalid for what is no name
 */
export function rosterOf(
  model: AnyModel,
  configured: readonly OwnerId[] | undefined,
  parties: Parties,
): readonly OwnerId[] {
  const named = model.participation.roster?.map(ownerIdOf) ?? configured;
  const roster = named ?? everyOwner(parties);
  const { quorum } = model.participation;
  if (roster.length >= quorum) return roster;
  const where = named === undefined ? 'in the roster file' : 'on the roster';
  throw new SealsumError(
    'owners_too_few',
    `too few data owners are ${where}: ${roster.length}, and the quorum is ${quorum}; invite more, or lower participation.quorum (2 at least)`,
    { field: 'participation.quorum' },
  );
}

/** A name on a model's roster. @throws SealsumError model_invalid */
function ownerIdOf(name: string, index: number): OwnerId {
  const parsed = ownerIdSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  const field = `participation.roster[${index}]`;
  throw new SealsumError('model_invalid', `${field}: ${parsed.error.issues[0]?.message ?? 'expected a name'}`, {
    field,
  });
}

function everyOwner({ all }: Parties): readonly OwnerId[] {
  return all.flatMap(({ name, role }) => (role === 'data-owner' ? [ownerIdSchema.parse(name)] : []));
}
