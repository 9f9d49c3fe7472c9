/** What Linux tells of another process: memory and processor time. */
import { readFileSync, writeFileSync } from 'node:fs';
import { SealsumError } from '../../src/errors.ts';

/** Bytes that a process has in memory now, and the most it had. */
export interface Resident {
  readonly now: number;
  readonly most: number;
}

/** Clock ticks a second, in which /proc counts: 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** @throws SealsumError request_failed when the system has no /proc, or the process is gone */
export function residentOf(pid: number): Resident {
  const status = read(`/proc/${pid}/status`);
  const bytes = (field: string): number =>
    1024 * Number(new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN);
  return { now: bytes('VmRSS'), most: bytes('VmHWM') };
}

/** From now on, the most that a process had in memory is what it has had since. */
export function forgetMost(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Seconds of all threads of a process, in the program and in the system for it. @throws SealsumError request_failed */
export function processorSeconds(pid: number): number {
  // The name of the program is in parentheses and may hold anything.
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SealsumError(
      'request_failed',
      `${path} cannot be read: memory is measured on Linux, while a process runs`,
      {
        cause,
      },
    );
  }
}
