/** What there is to see at each party: its sections, in the order of the navigation, loaded when somebody is signed in there. */
import type { Role } from '../../protocol/identity.ts';
import type { Section } from './section.ts';

export const sectionsOf: Readonly<Record<Role, () => Promise<{ readonly sections: readonly Section[] }>>> = {
  'model-owner': () => import('../model-owner/sections.ts'),
  facilitator: () => import('../facilitator/sections.ts'),
  'data-owner': () => import('../data-owner/sections.ts'),
};

export const roleTitles: Readonly<Record<Role, string>> = {
  'model-owner': 'Model owner',
  facilitator: 'Facilitator',
  'data-owner': 'Data owner',
};
