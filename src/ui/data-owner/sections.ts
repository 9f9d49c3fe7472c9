import type { Section } from '../frame/section.ts';
import Datasets from './Datasets.svelte';
import Jobs from './Jobs.svelte';
import Ledger from './Ledger.svelte';

export const sections: readonly Section[] = [
  { name: 'jobs', title: 'Jobs', pages: Jobs },
  { name: 'datasets', title: 'Data sets', pages: Datasets },
  { name: 'ledger', title: 'Ledger', page: Ledger },
];
