/**
 * A job that several facilitators fold as a tree. The leaves take the contributions of one group of owners each, every other node
 * those of its children, and only the root gives an aggregate to the model owner: a child's aggregate is its contribution to its
 * parent. All of them are told the same descriptors, so that an owner, a facilitator and the model owner read in one signed document
 * who folds what.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { type OwnerId, ownerIdSchema, type PartyId, partyIdSchema } from './identifiers.ts';
import { list, owners } from './message-parts.ts';

/** One facilitator below the root. */
export interface TreeNode {
  readonly facilitator: PartyId;
  /** Who folds its aggregate: the root, or another node. */
  readonly parent: PartyId;
}

/** What a job descriptor says of its tree; the root is the descriptor's `facilitator`. */
export interface JobTree {
  readonly nodes: readonly TreeNode[];
  /** The least number of contributors of a group: what a leaf gives to its parent is never one owner's vector. */
  readonly group_quorum: number;
}

/** What a job says of who folds it. */
export interface Folded {
  readonly facilitator: PartyId;
  readonly tree?: JobTree;
}

/** One group of a round: its owners contribute at this leaf and nowhere else. */
export interface Group {
  readonly facilitator: PartyId;
  readonly roster: readonly OwnerId[];
}

/** Facilitators of a tree: far more than there are organisations to run them. */
const mostNodes = 1000;

/** Levels below the root: each waits for as long as a round does for the one beneath it. */
export const mostLevels = 4;

export const jobTreeSchema: z.ZodType<JobTree> = z.strictObject({
  nodes: list(z.strictObject({ facilitator: partyIdSchema, parent: partyIdSchema }), mostNodes).refine(
    (nodes) => nodes.length > 0,
    'expected at least one facilitator below the root',
  ),
  group_quorum: z.number().int().min(2, 'a group of one owner would show its vector to whoever opens the group'),
});

export const groupsSchema: z.ZodType<readonly Group[]> = list(
  z.strictObject({ facilitator: partyIdSchema, roster: owners(2, 'a group of one owner is none') }),
  mostNodes,
).refine((groups) => groups.length > 0, 'expected at least one group');

/** What is wrong with the shape of a tree; undefined: nothing. */
export function treeProblem({ facilitator: root, tree }: Folded): string | undefined {
  if (tree === undefined) return undefined;
  const parents = new Map(tree.nodes.map(({ facilitator, parent }) => [facilitator, parent]));
  if (parents.has(root)) return `${root} is the root and has no parent`;
  if (parents.size !== tree.nodes.length) return 'a facilitator is named twice';
  for (const { facilitator } of tree.nodes) {
    let above: PartyId | undefined = facilitator;
    for (let level = 0; above !== root; level += 1) {
      if (level === mostLevels)
        return `${facilitator} is more than ${mostLevels} levels below the root, or in a circle`;
      above = parents.get(above);
      if (above === undefined) return `a parent above ${facilitator} is no facilitator of the tree`;
    }
  }
  return undefined;
}

/** Everybody who folds a part of the job, the root first. */
export function facilitatorsOf({ facilitator, tree }: Folded): readonly PartyId[] {
  return [facilitator, ...(tree?.nodes ?? []).map((node) => node.facilitator)];
}

/** Who folds what this facilitator releases; undefined: nobody does, so that it is the model owner's. */
export function parentOf({ tree }: Folded, facilitator: PartyId): PartyId | undefined {
  return tree?.nodes.find((node) => node.facilitator === facilitator)?.parent;
}

/** Whose aggregates this facilitator folds, in the order of the tree. */
export function childrenOf({ tree }: Folded, facilitator: PartyId): readonly PartyId[] {
  return (tree?.nodes ?? []).filter(({ parent }) => parent === facilitator).map((node) => node.facilitator);
}

/** The facilitators that take owners' contributions. */
export function leavesOf(job: Folded): readonly PartyId[] {
  return facilitatorsOf(job).filter((each) => childrenOf(job, each).length === 0);
}

/** How many levels there are beneath a facilitator: 0 for a leaf. Every level waits once more for as long as a round does. */
export function levelsBelow(job: Folded, facilitator: PartyId): number {
  return Math.max(0, ...childrenOf(job, facilitator).map((child) => 1 + levelsBelow(job, child)));
}

/** The group that a facilitator folds itself, of a round. */
export function groupAt(groups: readonly Group[] | undefined, facilitator: PartyId): Group | undefined {
  return groups?.find((group) => group.facilitator === facilitator);
}

/** The group of an owner, in a round. */
export function groupOf(groups: readonly Group[] | undefined, owner: OwnerId): Group | undefined {
  return groups?.find(({ roster }) => roster.includes(owner));
}

/** Whether any group of a round is folded by this facilitator or beneath it. */
function hasPart(job: Folded, groups: readonly Group[], facilitator: PartyId): boolean {
  return (
    groupAt(groups, facilitator) !== undefined ||
    childrenOf(job, facilitator).some((child) => hasPart(job, groups, child))
  );
}

/** Who contributes to a facilitator in a round, by name. */
export interface Contributing {
  readonly role: 'data-owner' | 'facilitator';
  readonly roster: readonly OwnerId[];
  /** The least number of them. */
  readonly quorum: number;
}

/** What a job and its round say of who contributes where. */
export interface FoldedRound {
  readonly roster: readonly OwnerId[];
  readonly quorum: number;
  readonly groups?: readonly Group[];
}

/** Who contributes to a facilitator in a round; undefined: it has no part in it. */
export function contributingTo(job: Folded, round: FoldedRound, facilitator: PartyId): Contributing | undefined {
  const { groups } = round;
  if (job.tree === undefined || groups === undefined)
    return { role: 'data-owner', roster: round.roster, quorum: round.quorum };
  const group = groupAt(groups, facilitator);
  if (group !== undefined) return { role: 'data-owner', roster: group.roster, quorum: job.tree.group_quorum };
  const children = childrenOf(job, facilitator).filter((child) => hasPart(job, groups, child));
  if (children.length === 0) return undefined;
  return { role: 'facilitator', roster: children.map((child) => ownerIdSchema.parse(child)), quorum: 1 };
}

/**
 * Refuses the groups of a round unless they are the whole roster in disjoint groups that are not too small, each of a leaf.
 *
 * @throws SealsumError message_invalid with field `groups`
 */
export function requireGroups(job: Folded, { roster, groups }: FoldedRound): void {
  const refuse = (why: string): SealsumError =>
    new SealsumError('message_invalid', `groups: ${why}`, { field: 'groups' });
  const { tree } = job;
  if (tree === undefined) {
    if (groups !== undefined) throw refuse('the round has groups, and its job no tree of facilitators');
    return;
  }
  if (groups === undefined) throw refuse('the round has none, and its job is folded as a tree');
  const leaves = new Set(leavesOf(job));
  const free = new Set(roster);
  for (const { facilitator, roster: members } of groups) {
    if (!leaves.delete(facilitator)) throw refuse(`${facilitator} is no leaf of the tree, or has two groups`);
    if (members.length < tree.group_quorum)
      throw refuse(
        `that of ${facilitator} has ${members.length} owners, fewer than the ${tree.group_quorum} of the job`,
      );
    for (const owner of members)
      if (!free.delete(owner)) throw refuse(`${owner} is in two of them, or not on the roster of the round`);
  }
  const [left] = free;
  if (left !== undefined) throw refuse(`${left} is on the roster of the round and in none of them`);
}
