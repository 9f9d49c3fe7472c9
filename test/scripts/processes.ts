/** Runs a script as a person at a terminal would: a process group of its own, which Ctrl-C reaches as a whole. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until, within } from '../support/until.ts';

export interface Ended {
  /** The exit code, or null where a signal ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

export interface RunningScript extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with what it printed on standard output so far once that matches. */
  printed(pattern: RegExp): Promise<string>;
  /** The same for standard error. */
  complained(pattern: RegExp): Promise<string>;
  /** What Ctrl-C does: an interrupt for everybody in the group. */
  pressControlC(): void;
  /** What `kill` does: SIGTERM for the script alone, or another signal. */
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when it has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  /** The processes that it started, at whatever remove, and that are still there: known by their environment. */
  readonly survivors: () => Promise<string[]>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A build may come first when sources have changed. */
const patience = 120_000;

export interface ScriptOptions {
  /** Beside the environment of the test; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where it is started; the project's root unless given. */
  readonly cwd?: string;
  /** In a terminal of its own, as script(1) makes one; what is printed comes with its control characters. */
  readonly terminal?: boolean;
}

/** @param script relative to the project's root, such as scripts/demo.sh, or absolute */
export function startScript(script: string, args: readonly string[], options: ScriptOptions = {}): RunningScript {
  const path = resolve(root, script);
  const [command, all] = options.terminal === true ? inTerminal(path, args) : [path, args];
  const mark = randomUUID();
  const child: ChildProcess = spawn(command, all, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env, [marker]: mark },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${script} cannot be started`);
  let output = '';
  let complaint = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  const closed = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      // Sources that changed are built first, which is none of a test's business.
      resolve({ code, output, complaint: complaint.replace(/^building …\n/, '') });
    });
  });
  const ended = within(`${script} to end`, closed, patience);
  // Whoever does not wait for the end gets rid of the script at the end of the test.
  ended.catch(() => undefined);
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended.
    }
  };
  const said = async (text: () => string, pattern: RegExp): Promise<string> => {
    const look = (): boolean => {
      if (pattern.test(text())) return true;
      if (child.exitCode === null) return false;
      throw new Error(`${script} has ended without ${String(pattern)}: ${output}${complaint}`);
    };
    await until(`${String(pattern)} from ${script}`, look, patience);
    return text();
  };
  return {
    pid,
    printed: (pattern) => said(() => output, pattern),
    complained: (pattern) => said(() => complaint, pattern),
    pressControlC: () => {
      signalGroup('SIGINT');
    },
    kill: (signal = 'SIGTERM') => {
      child.kill(signal);
    },
    ended,
    survivors: () => processesWith(mark),
    [Symbol.asyncDispose]: async () => {
      signalGroup('SIGKILL');
      for (const left of await processesWith(mark)) process.kill(Number(left), 'SIGKILL');
      await closed;
    },
  };
}

/** Runs a script to its end. */
export async function runScript(script: string, args: readonly string[], options?: ScriptOptions): Promise<Ended> {
  await using running = startScript(script, args, options);
  return await running.ended;
}

/** What is inherited from parent to child, and tells whose child it is. */
const marker = 'TEST_RUN_OF_SEALSUM';

/** The process ids whose environment carries a mark; none where there is no /proc to tell. */
async function processesWith(mark: string): Promise<string[]> {
  const ids = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^[0-9]+$/.test(name));
  const marked = await Promise.all(
    ids.map((id) =>
      readFile(`/proc/${id}/environ`, 'utf8').then(
        (text) => text.includes(`${marker}=${mark}`),
        () => false,
      ),
    ),
  );
  return ids.filter((_, index) => marked[index]);
}

function inTerminal(script: string, args: readonly string[]): [string, string[]] {
  const quoted = [script, ...args].map((each) => `'${each.replaceAll("'", "'\\''")}'`).join(' ');
  return ['script', ['--quiet', '--return', '--command', quoted, '/dev/null']];
}
