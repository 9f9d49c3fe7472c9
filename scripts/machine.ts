/** Where something was measured. */
import { availableParallelism, cpus, loadavg, totalmem, type } from 'node:os';

export function machine(): Record<string, string | number> {
  return {
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    cores: availableParallelism(),
    memory_gib: Number((totalmem() / 2 ** 30).toFixed(1)),
    os: `${type()} ${process.arch}`,
    node: process.versions.node,
    /** Above what the measurement itself does, somebody else was at work. */
    load_average: Number((loadavg()[0] ?? Number.NaN).toFixed(1)),
  };
}
