/** The commands around projects as they run on several machines, in one process; what they print is searched for secrets. */
import assert from 'node:assert/strict';
import { registerAdmitCommand } from '../../src/cli/admit-command.ts';
import { registerFingerprintsCommand } from '../../src/cli/fingerprints-command.ts';
import { registerInitCommand } from '../../src/cli/init-command.ts';
import { registerInviteCommand } from '../../src/cli/invite-command.ts';
import { registerJoinCommand } from '../../src/cli/join-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { ProjectServices } from '../../src/cli/project-services.ts';
import { registerPassphraseCommand, registerRotateCommand } from '../../src/cli/rotate-command.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { nobody } from '../config/silent.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';

const registers = [
  registerInitCommand,
  registerInviteCommand,
  registerJoinCommand,
  registerAdmitCommand,
  registerFingerprintsCommand,
  registerRotateCommand,
  registerPassphraseCommand,
];

export interface Machine {
  readonly clock: TestClock;
  /** Runs a command line and gives what it printed. */
  readonly run: (args: readonly string[], services?: Partial<ProjectServices>) => Promise<string>;
  /** Notes what must not be printed by anything. */
  readonly secret: (text: string) => void;
  /** Fails when anything that was printed so far contains a secret. */
  readonly assertDiscreet: () => void;
}

export function machine(): Machine {
  const clock = createTestClock(Date.now());
  const printed: string[] = [];
  const secrets: string[] = [];
  /** The system's generator; seeds, storage keys and random passphrases have 32 bytes, and salts, which are not printed. */
  const random = (length: number): Uint8Array => {
    const bytes = systemRandom(length);
    if (length === 32)
      for (const form of ['hex', 'base64url', 'base64'] as const) secrets.push(Buffer.from(bytes).toString(form));
    return bytes;
  };
  return {
    clock,
    run: async (args, services = {}) => {
      const before = printed.length;
      const print = (text: string): void => {
        printed.push(text);
      };
      const program = createProgram();
      for (const register of registers)
        register(program, { clock, random, terminal: nobody, env: {}, print, ...services });
      await program.parseAsync(['node', 'sealsum', ...args]);
      return printed.slice(before).join('\n');
    },
    secret: (text) => {
      secrets.push(text);
    },
    assertDiscreet: () => {
      assert.ok(printed.length > 0 && secrets.length > 0);
      const all = printed.join('\n');
      for (const secret of secrets) assert.ok(!all.includes(secret));
    },
  };
}

export interface ProjectView {
  readonly roster: string;
  readonly roster_digest: string;
  readonly parties: readonly { name: string; role: string; fingerprint: string; spoken: string; config?: string }[];
  readonly commands?: readonly string[];
  readonly invitations?: readonly { name: string; role: string; file: string }[];
}

/** What a command printed with --json. */
export async function viewOf(output: Promise<string>): Promise<ProjectView> {
  return JSON.parse(await output) as ProjectView;
}

export function spokenOf(view: ProjectView, name: string): string {
  return view.parties.find((party) => party.name === name)?.spoken ?? assert.fail(`${name} is not in it`);
}
