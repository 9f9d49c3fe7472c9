/** A party as a process that a test can end in any way, and start again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../support/program.ts';
import { until } from '../support/until.ts';
import { patience } from './window.ts';

export interface PartyProcess extends AsyncDisposable {
  /** Where it listens, and the newest link to sign in. */
  readonly url: string;
  readonly link: () => string;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Resolves when it is gone. */
  readonly gone: Promise<unknown>;
  readonly output: () => string;
}

/** @param main such as parties/facilitator/main.ts; resolves once it listens and has printed its link */
export async function startProcess(main: string, args: readonly string[]): Promise<PartyProcess> {
  const child = spawn(process.execPath, [...program(main), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  const gone = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  const links = (): readonly string[] => output.match(/(?<=^Dashboard: )http\S+$/gm) ?? [];
  try {
    await until(
      `${main} listens`,
      () => {
        if (child.exitCode !== null) throw new Error(`${main} has ended: ${output}`);
        return links().length > 0;
      },
      3 * patience,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: /listens at (\S+)/.exec(output)?.[1] ?? '',
    link: () => links().at(-1) ?? '',
    signal: (name) => {
      child.kill(name);
    },
    gone,
    output: () => output,
    [Symbol.asyncDispose]: stop,
  };
}
