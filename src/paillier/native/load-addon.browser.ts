/** Browsers load no native modules. */

export const notBuilt = 'browsers have no native kernel';

export function loadAddon(): string {
  return notBuilt;
}
