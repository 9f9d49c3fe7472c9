/** What a model owner's people see: its models, and the form that starts a training. */
import type { Section } from '../frame/section.ts';
import Models from './Models.svelte';
import NewTraining from './NewTraining.svelte';

export const sections: readonly Section[] = [
  { name: 'models', title: 'Models', pages: Models },
  { name: 'new', title: 'New training', page: NewTraining },
];
