/**
 * A page whose commands are run: every ```sh block in one shell, one after the other as a reader would, and what a ```text block after it
 * says that it prints. `…` stands for anything within a line, and alone on a line for any lines.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** Some commands of a page, and what it says that they print. */
export interface Step {
  readonly heading: string;
  readonly commands: string;
  /** Undefined where the page does not say. */
  readonly output: string | undefined;
}

/** All commands of a page in their order. */
export function stepsOf(page: string): Step[] {
  const steps: Step[] = [];
  let heading = '';
  const blocks = page.matchAll(
    /^#+ (.*)$|^```sh\n((?:(?!^```).*\n)*)^```\n(?:\n^```text\n((?:(?!^```).*\n)*)^```$)?/gm,
  );
  for (const [, title, commands, output] of blocks) {
    if (title !== undefined) heading = title;
    if (commands !== undefined) steps.push({ heading, commands, output });
  }
  return steps;
}

/** Holds what was printed against what a page says. */
export function assertPrinted(printed: string, output: string): void {
  const pattern = output
    .trimEnd()
    .split('\n')
    .map((line) =>
      line === '…'
        ? '(?:.*\n)*?.*'
        : line
            .split('…')
            .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
            .join('.*'),
    )
    .join('\n');
  if (!new RegExp(`^${pattern}$`).test(printed.trimEnd())) assert.equal(printed, output);
}

/** A shell that keeps what a person's keeps from one block to the next: variables, functions, jobs. */
export interface Shell extends AsyncDisposable {
  /** Runs commands and gives what they printed. @throws when one of them fails, with what it said on standard error */
  run(commands: string, signal: AbortSignal): Promise<string>;
}

export function openShell(cwd: string, env: NodeJS.ProcessEnv): Shell {
  // A group of its own, so that whatever was started in it can be ended with it.
  const child: ChildProcess = spawn('bash', ['--norc', '--noprofile'], { cwd, env, detached: true });
  const { pid, stdin, stdout, stderr } = child;
  assert.ok(pid !== undefined && stdin !== null && stdout !== null && stderr !== null);
  let [said, printed] = ['', ''];
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  stdin.on('error', () => undefined);
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  let blocks = 0;
  return {
    run: async (commands, signal) => {
      assert.ok(!hasEnded(), 'the shell has ended with a command that failed before');
      blocks += 1;
      const mark = `end of block ${blocks}\n`;
      [said, printed] = ['', ''];
      // As a person would, it does not go on after a failure.
      stdin.write(`set -e\n{\n${commands}\n} </dev/null\nset +e; printf 'end of block %s\\n' ${blocks}\n`);
      while (!printed.endsWith(mark)) {
        const more = once(stdout, 'data', { signal }).catch((cause: unknown) => {
          throw new Error(`${commands}\nhas not ended, and printed\n${printed}${said}`, { cause });
        });
        await Promise.race([more, gone]);
        if (hasEnded()) throw new Error(`${commands}\nfailed, and printed\n${printed}${said}`);
      }
      return printed.slice(0, -mark.length);
    },
    [Symbol.asyncDispose]: async () => {
      // What it started in the background may outlive it.
      try {
        process.kill(-pid, 'SIGTERM');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
      await gone;
    },
  };
}

/** So many ports that follow each other, all free when it was looked. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      assert.equal((server.address() as AddressInfo).port, port);
      server.close(() => {
        resolve(true);
      });
    });
  });
}
