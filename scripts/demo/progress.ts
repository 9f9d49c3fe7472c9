/** A progress bar on standard error, for people who watch; nothing where the output is piped. */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  readonly show: (done: number, planned: number) => void;
  /** Leaves the bar as it is and goes to the next line. */
  readonly stop: () => void;
}

export function createProgress(): Progress {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
    { format: 'training {bar} {value}/{total} updates, {duration_formatted}', hideCursor: true },
    Presets.shades_classic,
  );
  let started = false;
  return {
    show: (done, planned) => {
      if (started) bar.update(done);
      else bar.start(planned, done);
      started = true;
    },
    stop: () => {
      bar.stop();
    },
  };
}
