/** One thing to go to in the navigation of a party's dashboard. */
import type { Component } from 'svelte';

export interface Section {
  /** The first part of its addresses: `#/models`. */
  readonly name: string;
  /** In the navigation. */
  readonly title: string;
  /** Shows it; `path` is what follows the name in the address. */
  readonly component: Component<{ path: readonly string[] }>;
}
