/** A party's dashboard from its configuration: its files, its sessions, and the link by which its people sign in. */

import { SealsumError } from '../errors.ts';
import { readAssets } from '../http/dashboard/assets.ts';
import type { Dashboard } from '../http/dashboard/serve.ts';
import { createSessions, type SessionState } from '../http/dashboard/sessions.ts';
import type { EventLog } from '../http/event-log.ts';
import type { RandomBytes } from '../paillier/random.ts';
import type { Clock } from '../protocol/clock.ts';
import type { CommonConfig, PartyConfig } from './party-config.ts';
import { openSessionFile, writeSessionFile } from './session-file.ts';

export interface DashboardServices {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: EventLog;
  /** Names of the server beside those of loopback. */
  readonly authorities: () => readonly string[];
}

export interface OpenDashboard {
  /** What is served; undefined where there is none. */
  readonly dashboard?: Dashboard;
  /** What the party says of it on a line of its own, once it listens: a login link, or why there is none. */
  readonly announcement: (url: string) => string | undefined;
}

/** @throws SealsumError identity_invalid for a file of sessions that others may read or that is none */
export async function openDashboard(config: PartyConfig, services: DashboardServices): Promise<OpenDashboard> {
  const { name, role, dashboard: settings } = config;
  if (!settings.enabled) return { announcement: () => settings.reason && `Dashboard: off, since ${settings.reason}` };
  const assets = readAssets();
  if (assets === undefined)
    return { announcement: () => 'Dashboard: off, since its pages were not built; npm run build makes them' };
  const { state, keep } = await openState(config, settings.sessions, services);
  const sessions = createSessions({ party: name, state, keep, ...services });
  const { secure } = settings;
  return {
    dashboard: { party: { name, role }, sessions, assets, secure, authorities: services.authorities },
    announcement: (url) => `Dashboard: ${addressOf(config, url)}/ui/#login=${sessions.issueToken()}`,
  };
}

interface KeptState {
  readonly state: SessionState;
  readonly keep: (state: SessionState) => Promise<void>;
}

/** Where nothing can be written, sessions end with the process: that is no reason not to start. */
async function openState(
  config: CommonConfig,
  path: string | undefined,
  services: DashboardServices,
): Promise<KeptState> {
  const { random, log } = services;
  const forgotten: KeptState = { state: { secret: random(32), ended: {} }, keep: () => Promise.resolve() };
  if (path === undefined) return forgotten;
  try {
    const state = await openSessionFile(path, random);
    return { state, keep: (next) => writeSessionFile(path, next) };
  } catch (error) {
    if (!(error instanceof SealsumError) || error.code !== 'config_invalid') throw error;
    log.warn({ file: path }, `the sessions of ${config.name}'s dashboard cannot be kept, and end with the process`);
    return forgotten;
  }
}

/** Where browsers reach the party: as it is known to others, else where it listens. */
function addressOf({ listen: { publicUrls } }: CommonConfig, url: string): string {
  return (publicUrls.find((each) => each.startsWith('https:')) ?? publicUrls[0] ?? url).replace(/\/+$/, '');
}
