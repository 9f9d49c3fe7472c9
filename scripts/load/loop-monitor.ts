/**
 * Loaded into the process that is measured, before its program: how long its event loop keeps others waiting. Asked by a message,
 * it tells what was found since it was asked last.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds, each up to 1 too long. */
export interface LoopDelay {
  readonly mean: number;
  readonly p99: number;
  readonly most: number;
}

const monitor = monitorEventLoopDelay({ resolution: 1 });
monitor.enable();

process.on('message', () => {
  const { mean, max } = monitor;
  const found: LoopDelay = { mean: mean / 1e6, p99: monitor.percentile(99) / 1e6, most: max / 1e6 };
  monitor.reset();
  process.send?.(found);
});
// The program ends when it has nothing to do, whether it may still be asked or not.
process.channel?.unref();
