/**
 * Loaded into the process that is measured, before its program: how long its event loop keeps others waiting. Asked by a message,
 * it tells what was found since it was asked last.
 *
 * A loop that keeps others waiting works, waits for a disk, or has no processor because others have it; the last is the machine's
 * doing. Linux tells for each thread how long it was ready to run and did not (run_delay of /proc/thread-self/schedstat).
 */
import { openSync, readSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds, each up to 1 too long. */
export interface LoopDelay {
  readonly mean: number;
  readonly p99: number;
  readonly most: number;
  /** The longest one but for the time in which the thread had no processor; left out where the system does not tell that. */
  readonly most_with_processor?: number;
}

const monitor = monitorEventLoopDelay({ resolution: 1 });
monitor.enable();

/** Milliseconds since its start for which this thread was ready and had no processor; undefined where nobody knows. */
function createRunDelay(): (() => number) | undefined {
  const text = Buffer.alloc(128);
  try {
    const file = openSync('/proc/thread-self/schedstat', 'r');
    return () => Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}

const runDelay = createRunDelay();
let mostWithProcessor = 0;

if (runDelay !== undefined) {
  let last = performance.now();
  let waited = runDelay();
  setInterval(() => {
    const [now, waitedNow] = [performance.now(), runDelay()];
    mostWithProcessor = Math.max(mostWithProcessor, now - last - (waitedNow - waited));
    [last, waited] = [now, waitedNow];
  }, 1).unref();
}

process.on('message', () => {
  const { mean, max } = monitor;
  const found: LoopDelay = {
    mean: mean / 1e6,
    p99: monitor.percentile(99) / 1e6,
    most: max / 1e6,
    ...(runDelay === undefined ? {} : { most_with_processor: mostWithProcessor }),
  };
  monitor.reset();
  mostWithProcessor = 0;
  process.send?.(found);
});
// The program ends when it has nothing to do, whether it may still be asked or not.
process.channel?.unref();
