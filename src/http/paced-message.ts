/**
 * Requests whose bodies are given up when they arrive too slowly. It is done where Node receives them: a web stream that guards a
 * body takes a second Request, and more memory than the body of most (docs/performance.md).
 */
import { IncomingMessage } from 'node:http';
import { SealsumError } from '../errors.ts';
import type { Clock } from '../protocol/clock.ts';

export interface Pace {
  readonly clock: Clock;
  /** Milliseconds that are waited for in any case. */
  readonly grace: number;
  /** What must arrive on average, beyond the grace. */
  readonly bytesPerSecond: number;
}

/** A request of a server. What reads the body of one that is too slow gets body_too_slow, and its line stands for the answer. */
export abstract class PacedMessage extends IncomingMessage {
  #slowness: SealsumError | undefined;
  #answered = false;
  #received = 0;
  /** Only the time counts in which somebody would read, and there is nothing: whoever reads slowly has nobody to blame. */
  #waited = 0;
  #waitsSince: number | undefined;
  #cancel: () => void = () => undefined;

  protected abstract readonly pace: Pace;

  /** Why it was given up, if it was. */
  get slowness(): SealsumError | undefined {
    return this.#slowness;
  }

  /** Its answer has been written: what is still to come is thrown away, and ends with the line when it is too slow. */
  answered(): void {
    this.#answered = true;
  }

  override _read(size: number): void {
    super._read(size);
    this.#wait();
  }

  override read(size?: number): unknown {
    const taken: unknown = super.read(size);
    this.#wait();
    return taken;
  }

  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    this.#waitNoMore();
    this.#received += chunk?.length ?? 0;
    return super.push(chunk, encoding);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#waitNoMore();
    super._destroy(error, callback);
  }

  #wait(): void {
    const over = this.complete || this.destroyed || this.#slowness !== undefined;
    if (over || this.#waitsSince !== undefined || this.readableLength > 0) return;
    const { clock, grace, bytesPerSecond } = this.pace;
    this.#waitsSince = clock.monotonic();
    const patience = grace + (this.#received / bytesPerSecond) * 1000 - this.#waited;
    this.#cancel = clock.after(patience, () => {
      this.#giveUp();
    });
  }

  #waitNoMore(): void {
    if (this.#waitsSince === undefined) return;
    this.#waited += this.pace.clock.monotonic() - this.#waitsSince;
    this.#waitsSince = undefined;
    this.#cancel();
  }

  #giveUp(): void {
    this.#waitNoMore();
    const why = `the body arrives at less than ${this.pace.bytesPerSecond} bytes per second`;
    this.#slowness = new SealsumError('body_too_slow', why);
    // Destroyed, it would take the line with it, by which the answer goes.
    if (this.#answered || this.listenerCount('error') === 0) this.socket.destroy();
    else this.emit('error', this.#slowness);
  }
}

/** The requests of a server that expects this of them. */
export function pacedMessages(pace: Pace): typeof IncomingMessage {
  return class extends PacedMessage {
    protected override get pace(): Pace {
      return pace;
    }
  };
}
