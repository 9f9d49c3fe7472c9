/** One thing to go to in the navigation of a party's dashboard. */
import type { Component } from 'svelte';

interface Named {
  /** The first part of its addresses: `#/models`. */
  readonly name: string;
  /** In the navigation. */
  readonly title: string;
}

/** With several pages, of which `path` says the one: it is what follows the name in the address. */
interface WithPages extends Named {
  readonly pages: Component<{ path: readonly string[] }>;
}

interface WithOnePage extends Named {
  readonly page: Component;
}

export type Section = WithPages | WithOnePage;
