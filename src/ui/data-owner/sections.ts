import type { Section } from '../frame/section.ts';
import Beginning from './Beginning.svelte';

export const sections: readonly Section[] = [{ name: 'beginning', title: 'Beginning', pages: Beginning }];
