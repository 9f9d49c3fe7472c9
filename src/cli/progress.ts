/**
 * How far long work is, for people who watch: a bar on standard error with what is done, and the time it has taken and will
 * take. Nothing is drawn where standard error is piped, where the terminal is dumb, or with --json.
 */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress extends Disposable {
  /** @param total where it is known better than before */
  readonly update: (done: number, total?: number) => void;
  /** Ends the line of the bar, so that what comes next stands by itself. Doing it again changes nothing. */
  readonly stop: () => void;
}

export interface ProgressOptions {
  /** What is being done, such as `training`. */
  readonly what: string;
  /** What is counted, such as `updates`; a percentage is shown without it. */
  readonly unit?: string;
  readonly total?: number;
  /** Whether what is printed is for a machine. */
  readonly json?: boolean;
}

/** @param stream where it is drawn */
export function createProgress(
  { what, unit, total = 1, json = false }: ProgressOptions,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  if (json || !stream.isTTY || process.env.TERM === 'dumb') {
    return { update: () => undefined, stop: () => undefined, [Symbol.dispose]: () => undefined };
  }
  const amount = unit === undefined ? '{percentage} %' : `{value}/{total} ${unit}`;
  const bar = new SingleBar(
    {
      format: `${what} {bar} ${amount}, {duration_formatted}, {eta_formatted} left`,
      hideCursor: true,
      clearOnComplete: false,
      // Rates of the last updates only: the first ones often take longer.
      etaBuffer: 20,
      stream,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  const stop = (): void => {
    bar.stop();
  };
  return {
    update: (done, now) => {
      if (now !== undefined && now !== bar.getTotal()) bar.setTotal(now);
      bar.update(done);
    },
    stop,
    [Symbol.dispose]: stop,
  };
}
