import type { Role } from '../../src/index.ts';

/** What everybody may know of a project: what a page is told of it. */
export interface Project {
  /** The facilitator's address. */
  readonly facilitator: string;
  readonly parties: readonly {
    readonly name: string;
    readonly role: Role;
    readonly key: string;
    /** The keys before: what they signed stays signed. */
    readonly previous: readonly string[];
  }[];
}
