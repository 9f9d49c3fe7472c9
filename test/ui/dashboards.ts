/** Dashboards for parties that run in the process of a test, and the links by which one signs in to them. */
import { readAssets } from '../../src/http/dashboard/assets.ts';
import type { Dashboard } from '../../src/http/dashboard/serve.ts';
import { createSessions } from '../../src/http/dashboard/sessions.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { type Clock, systemClock } from '../../src/protocol/clock.ts';
import type { Party } from '../../src/protocol/identity.ts';

/** The pages as the build has made them. @param clock by which sessions end @throws where they were not built */
export function createTestDashboard({ name, role }: Party, clock: Clock = systemClock): Dashboard {
  const assets = readAssets();
  if (assets === undefined) throw new Error('the dashboard was not built: npx vite build');
  const sessions = createSessions({
    party: name,
    state: { secret: systemRandom(32), ended: {} },
    keep: () => Promise.resolve(),
    clock,
    random: systemRandom,
  });
  return { party: { name, role }, sessions, assets, secure: false, authorities: () => [] };
}

/** A link as a party prints it. @param url where it listens */
export function linkOf(dashboard: Dashboard, url: string): string {
  return `${url}/ui/#login=${dashboard.sessions.issueToken()}`;
}
