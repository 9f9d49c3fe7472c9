/** The person at the terminal, asked without an echo where a secret is meant; nobody where standard input is no terminal. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { SealsumError } from '../errors.ts';

export interface Terminal {
  /** Whether there is somebody to ask. */
  readonly interactive: boolean;
  /** A line that is shown while it is typed. @throws SealsumError aborted when the person ends it */
  ask(question: string): Promise<string>;
  /** A line that is not shown while it is typed. @throws SealsumError aborted when the person ends it */
  askHidden(question: string): Promise<string>;
}

/** Questions go to standard error, so that standard output stays what the command is for. */
export const systemTerminal: Terminal = {
  get interactive() {
    return process.stdin.isTTY;
  },
  ask: (question) => readLine(question, process.stderr),
  askHidden: async (question) => {
    try {
      return await readLine(question, nowhere());
    } finally {
      process.stderr.write('\n');
    }
  },
};

function nowhere(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

/** @param output where the line is drawn while it is typed; where that is nowhere, the question alone is shown */
function readLine(question: string, output: NodeJS.WritableStream): Promise<string> {
  // From here on the terminal itself echoes nothing; only then is the question asked, for people type at once.
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    const end = (): void => {
      reject(new SealsumError('aborted', 'stopped'));
    };
    lines.once('SIGINT', end);
    lines.once('close', end);
    lines.once('line', resolve);
    if (output === process.stderr) {
      lines.setPrompt(question);
      lines.prompt();
    } else process.stderr.write(question);
  }).finally(() => {
    lines.close();
  });
}
