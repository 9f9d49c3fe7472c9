/** What loadParty is given in tests: nobody at the terminal, nothing in the environment, and a log that is kept. */
import type { LoadServices } from '../../src/config/load.ts';
import type { Terminal } from '../../src/config/terminal.ts';
import { createLog } from '../../src/http/log.ts';
import { createTestClock, type TestClock } from '../support/clock.ts';

export const nobody: Terminal = {
  interactive: false,
  ask: () => Promise.reject(new Error('nobody is there to ask')),
  askHidden: () => Promise.reject(new Error('nobody is there to ask')),
};

/** Somebody who answers one question after another, and who remembers what was asked. */
export function somebody(answers: readonly string[]): Terminal & { readonly asked: readonly string[] } {
  const asked: string[] = [];
  const answer = (question: string): Promise<string> => {
    const next = answers[asked.length];
    asked.push(question);
    return next === undefined ? Promise.reject(new Error(`no answer to ${question}`)) : Promise.resolve(next);
  };
  return { interactive: true, ask: answer, askHidden: answer, asked };
}

export interface TestServices extends LoadServices {
  readonly clock: TestClock;
  /** The lines of the log. */
  readonly lines: readonly string[];
}

export function testServices(more: Partial<Pick<LoadServices, 'env' | 'terminal'>> = {}): TestServices {
  const lines: string[] = [];
  return {
    clock: createTestClock(Date.now()),
    env: {},
    terminal: nobody,
    createLog: (party) =>
      createLog(party, 'trace', {
        write: (line) => {
          lines.push(line);
        },
      }),
    lines,
    ...more,
  };
}
