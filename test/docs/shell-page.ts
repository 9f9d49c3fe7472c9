/**
 * A page whose commands are run: every ```sh block in one shell, one after the other as a reader would, and what a ```text block after it
 * says that it prints. `…` stands for anything within a line, and alone on a line for any lines.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

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
  const blocks = page.matchAll(/^#+ (.*)$|^```sh\n((?:(?!^```).*\n)*)^```\n(?:\n^```text\n((?:(?!^```).*\n)*)^```$)?/gm);
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
  const { stdin, stdout, stderr } = child;
  assert.ok(stdin !== null && stdout !== null && stderr !== null);
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let printed = '';
  stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  let blocks = 0;
  return {
    run: async (commands, signal) => {
      blocks += 1;
      const mark = `end of block ${blocks}:`;
      [said, printed] = ['', ''];
      // As a person would, one does not go on after a failure; the shell itself stays.
      stdin.write(`{\n${failing(commands)}\n} </dev/null; printf '%s%s\\n' '${mark}' "$?"\n`);
      for (;;) {
        const ended = printed.indexOf(mark);
        if (ended !== -1 && printed.indexOf('\n', ended) !== -1) {
          assert.equal(printed.slice(ended + mark.length).trim(), '0', `${commands}\n${printed.slice(0, ended)}\n${said}`);
          return printed.slice(0, ended);
        }
        await once(stdout, 'data', { signal }).catch((cause: unknown) => {
          throw new Error(`${commands}\nhas not ended, and printed\n${printed}\n${said}`, { cause });
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit');
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      await gone;
    },
  };
}

/** Commands of which the first that fails makes the whole fail. */
function failing(commands: string): string {
  return `set -e\n${commands}\nset +e\ntrue`;
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
