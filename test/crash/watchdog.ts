/**
 * Sees to it that no party outlives the test that started it, even if the test itself is killed: a process of its own, which
 * ends everybody who carries the mark in the environment as soon as the pipe from the test breaks.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';

const marker = 'SEALSUM_CRASH_RUN';
const script = `read -r line; for each in /proc/[0-9]*; do
  if grep -qs "${marker}=$1" "$each/environ"; then kill -9 "\${each#/proc/}"; fi
done`;

let mark: string | undefined;

/** What every process that a test starts has in its environment. */
export function markedEnvironment(): Readonly<Record<string, string>> {
  if (mark === undefined) {
    mark = randomUUID();
    // In a group of its own, which Ctrl-C does not reach.
    const dog = spawn('sh', ['-c', script, 'watchdog', mark], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    dog.unref();
    if (dog.stdin instanceof Socket) dog.stdin.unref();
  }
  return { [marker]: mark };
}
