/** A project on this machine with its parties as processes that the commands started; what they say is kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalProject } from '../../src/config/project.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { partyIdSchema } from '../../src/protocol/identifiers.ts';
import { program } from '../support/program.ts';

export interface TestProject extends AsyncDisposable {
  readonly folder: string;
  /** The config.toml of a party. */
  readonly config: (party: string) => string;
  readonly url: (party: 'facilitator' | 'model-owner' | 'owner-1') => string;
}

/** A project with one owner for each name; on ports that were free a moment ago. */
export async function createProject(owners: readonly string[] = ['owner-1', 'owner-2']): Promise<TestProject> {
  const folder = await mkdtemp(join(tmpdir(), 'sealsum-project-'));
  const [facilitator = 0, modelOwner = 0, ...rest] = await freePorts(2 + owners.length);
  // Owners have consecutive ports in a project; those of tests get theirs by --port.
  const firstOwner = rest[0] ?? 0;
  await createLocalProject(
    {
      folder,
      owners: owners.map((owner) => partyIdSchema.parse(owner)),
      facilitatorUrl: undefined,
      ports: { facilitator, modelOwner, firstOwner },
      passphrase: 'random',
    },
    systemRandom,
  );
  const ports = { facilitator, 'model-owner': modelOwner, 'owner-1': firstOwner };
  return {
    folder,
    config: (party) => join(folder, party, 'config.toml'),
    url: (party) => `http://127.0.0.1:${ports[party]}`,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}

export interface Started extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: { output: string; errors: string };
  /** Resolves with the exit code once it has ended. */
  readonly ended: Promise<number | null>;
}

/**
 * Starts `sealsum ROLE …` and waits until it listens.
 *
 * @param alone whether it is the leader of a process group, as a shell makes one for a command at a terminal
 */
export async function startCommand(args: readonly string[], alone = false): Promise<Started> {
  const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: alone,
  });
  const said = { output: '', errors: '' };
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said.output += chunk.toString('utf8');
      const [, found] = /listens at (\S+)/.exec(said.output) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said.errors += chunk.toString('utf8');
    });
    void ended.then((code) => {
      reject(new Error(`it ended with ${code} before it listened: ${said.errors}`));
    });
  });
  return {
    child,
    url,
    said,
    ended,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
