/** The command as a process, beside servers that run in this one. */
import { spawn } from 'node:child_process';
import { program } from '../support/program.ts';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** @param input what it reads on standard input; nothing unless given */
export function runSealsum(args: readonly string[], input = '', env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...args], {
      env: { ...process.env, ...env },
    });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString('utf8');
    });
    child.once('close', (code) => {
      resolve({ code, output, errors });
    });
    // It may end without having read all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
