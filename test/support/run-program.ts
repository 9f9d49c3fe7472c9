/** Programs as people run them, from beginning to end. */
import { spawn } from 'node:child_process';
import { program } from './program.ts';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** @param source the path of a program's main module in this checkout */
export function runProgram(source: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...program(source), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint += chunk;
    });
    child.once('close', (code) => {
      resolve({ code, output, complaint });
    });
  });
}
