/** The command as a process, beside servers that run in this one. */
import { type Ran, runProgram } from '../support/run-program.ts';

/** @param input what it reads on standard input; nothing unless given */
export function runSealsum(args: readonly string[], input?: string, env?: Record<string, string>): Promise<Ran> {
  return runProgram('src/cli/main.ts', args, input, env);
}
