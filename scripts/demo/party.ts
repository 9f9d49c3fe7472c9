/** One party as a child process that says where it listens. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SealsumError } from '../../src/errors.ts';

export interface PartyProcess {
  readonly name: string;
  readonly url: string;
  /** Asks it to stop and waits until it has; kills it when it does not. */
  stop(): Promise<void>;
}

/** Milliseconds a party has to listen, and to stop. */
const patience = 20_000;

/** @throws SealsumError request_failed with what the party said when it does not start */
export async function startParty(
  name: string,
  kind: 'facilitator' | 'data-owner' | 'model-owner',
  args: readonly string[],
): Promise<PartyProcess> {
  const main = fileURLToPath(new URL(`../../parties/${kind}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [main, '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString('utf8')).slice(-4000);
  });
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new SealsumError('request_failed', `${name} did not start: ${why}`));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`it was not listening after ${patience / 1000} s`);
    }, patience);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = / listens at (\S+)$/.exec(line)?.[1];
      if (found !== undefined) {
        clearTimeout(timer);
        resolve(found);
      }
    });
    void ended.then(() => {
      clearTimeout(timer);
      fail(complaints.trim());
    });
  });
  return {
    name,
    url,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      await ended;
      clearTimeout(timer);
    },
  };
}
