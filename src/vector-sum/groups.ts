/**
 * Owners in groups, each folded by a leaf of a tree of facilitators, and drawn anew for every round: which of its facilitators
 * handles an owner's contribution is chance, so that none of them handles all of it for long.
 */
import { SealsumError } from '../errors.ts';
import { type RandomBytes, randomSubset } from '../paillier/random.ts';
import { type OwnerId, type PartyId, partyIdSchema } from '../protocol/identifiers.ts';
import { type Group, type JobTree, leavesOf, mostLevels, type TreeNode, treeProblem } from '../protocol/tree.ts';

/** Facilitators below another: leaves by their names, others with those below them. */
export type FacilitatorTree = readonly (string | { readonly facilitator: string; readonly below: FacilitatorTree })[];

/** How a round is folded by several facilitators. */
export interface GroupOptions {
  /** How many owners a group has: as many or more, for those who are left over are shared among as many groups as there are leaves. */
  readonly size: number;
  /** The least number of contributors of a group; one with fewer is left out of the sum. 2 unless given. */
  readonly least?: number;
  /** Who is below the root; all other facilitators of the connection, each a leaf, unless given. */
  readonly below?: FacilitatorTree;
}

/**
 * @param others the facilitators whose addresses are known, beside the root
 * @param owners how many there are on the roster
 * @throws SealsumError config_invalid naming what is wrong, `groups.size`, `groups.least` or `groups.below`
 */
export function treeOf(
  root: PartyId,
  { size, least = 2, below }: GroupOptions,
  others: readonly PartyId[],
  { owners, quorum }: { readonly owners: number; readonly quorum: number },
): JobTree {
  const refuse = (field: string, why: string): SealsumError =>
    new SealsumError('config_invalid', `groups.${field}: ${why}`, { field: `groups.${field}` });
  if (!Number.isInteger(least) || least < 2)
    throw refuse('least', 'expected a whole number from 2: a group of one owner would show its vector');
  if (!Number.isInteger(size) || size < least || size > owners)
    throw refuse('size', `expected a whole number from ${least} to ${owners}, the owners on the roster`);
  if (least > quorum) throw refuse('least', `expected at most ${quorum}, the quorum of the job`);
  const nodes = nodesBelow(root, below ?? others, refuse);
  const tree = { nodes, group_quorum: least };
  const problem =
    nodes.length === 0 ? 'expected at least one facilitator below the root' : treeProblem({ facilitator: root, tree });
  if (problem !== undefined) throw refuse('below', problem);
  const unknown = nodes.find(({ facilitator }) => !others.includes(facilitator));
  if (unknown !== undefined) throw refuse('below', `${unknown.facilitator} has no address in facilitators`);
  const leaves = leavesOf({ facilitator: root, tree }).length;
  const largest = Math.ceil(owners / leaves);
  if (largest >= 2 * size)
    throw refuse(
      'size',
      `with ${leaves} facilitators to fold them, ${owners} owners make groups of ${largest}, twice as large or more; name more facilitators, or ask for larger groups`,
    );
  return tree;
}

function nodesBelow(
  parent: PartyId,
  below: FacilitatorTree,
  refuse: (field: string, why: string) => SealsumError,
  level = 1,
): TreeNode[] {
  if (level > mostLevels) throw refuse('below', `expected at most ${mostLevels} levels below the root`);
  return below.flatMap((node) => {
    const [name, deeper] = typeof node === 'string' ? [node, []] : [node.facilitator, node.below];
    const parsed = partyIdSchema.safeParse(name);
    if (!parsed.success) throw refuse('below', 'expected names of facilitators');
    return [{ facilitator: parsed.data, parent }, ...nodesBelow(parsed.data, deeper, refuse, level + 1)];
  });
}

/**
 * A uniformly random partition into groups whose sizes differ by one at most, and who folds which: all from `random`.
 *
 * @param leaves who can fold a group now, at least one
 * @param size as GroupOptions: as many groups as there can be of this size, and leaves
 */
export function drawGroups(
  owners: readonly OwnerId[],
  leaves: readonly PartyId[],
  size: number,
  random: RandomBytes,
): readonly Group[] {
  const count = Math.max(1, Math.min(leaves.length, Math.floor(owners.length / size)));
  const shuffled = randomSubset(owners, owners.length, random);
  return randomSubset(leaves, count, random).map((facilitator, index) => ({
    facilitator,
    roster: shuffled.slice(
      Math.floor((index * owners.length) / count),
      Math.floor(((index + 1) * owners.length) / count),
    ),
  }));
}
