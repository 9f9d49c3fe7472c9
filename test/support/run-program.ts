/** Programs as people run them, from beginning to end. */
import { spawn } from 'node:child_process';
import { program } from './program.ts';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/**
 * @param source the path of a program's main module in this checkout
 * @param input what it reads on standard input; nothing unless given
 */
export function runProgram(
  source: string,
  args: readonly string[],
  input = '',
  env: Record<string, string> = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...program(source), ...args], { env: { ...process.env, ...env } });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    child.once('close', (code) => {
      resolve({ code, output, errors });
    });
    // It may end without having read all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
