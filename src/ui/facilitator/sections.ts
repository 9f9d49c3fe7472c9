/** What a facilitator's people see: jobs and their rounds, and who belongs. */
import type { Section } from '../frame/section.ts';
import Jobs from './Jobs.svelte';
import Parties from './Parties.svelte';

export const sections: readonly Section[] = [
  { name: 'jobs', title: 'Jobs', pages: Jobs },
  { name: 'parties', title: 'Parties', page: Parties },
];
