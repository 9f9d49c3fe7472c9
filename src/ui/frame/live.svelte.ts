/** Whether what is shown is up to date: the party tells by server-sent events when there is something new. */
import { request } from './request.ts';

/** Milliseconds before the line is tried again: at first, and at most. */
const firstWait = 500;
const longestWait = 5000;

class Live {
  /** Grows whenever there may be something new: what depends on it is read again. */
  version: number = $state(0);
  /** 'lost' once a line that stood, or was to stand, does not. */
  line: 'closed' | 'opening' | 'open' | 'lost' = $state('closed');
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = firstWait;
  #wanted = false;

  constructor() {
    // A page that nobody sees keeps no connection: browsers have six for a host, for all their windows.
    document.addEventListener('visibilitychange', () => {
      if (!this.#wanted) return;
      if (document.hidden) this.#hangUp('closed');
      else if (this.#source === undefined) this.#open();
    });
  }

  start(): void {
    this.#wanted = true;
    if (this.#source === undefined) this.#open();
  }

  stop(): void {
    this.#wanted = false;
    this.#hangUp('closed');
  }

  #hangUp(line: 'closed' | 'lost'): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
    this.line = line;
  }

  #open(): void {
    clearTimeout(this.#timer);
    if (this.line !== 'lost') this.line = 'opening';
    const source = new EventSource('api/events');
    this.#source = source;
    source.addEventListener('open', () => {
      this.line = 'open';
      this.#wait = firstWait;
      // What happened before is not told again.
      this.version += 1;
    });
    source.addEventListener('changed', () => {
      this.version += 1;
    });
    source.addEventListener('error', () => {
      // Some errors end an EventSource for good: the next one is opened here in any case.
      this.#hangUp('lost');
      // It does not say why it ended: the session may be over, and whoever asks for it hears that.
      request('session').catch(() => undefined);
      if (!this.#wanted || document.hidden) return;
      this.#timer = setTimeout(() => {
        this.#open();
      }, this.#wait);
      this.#wait = Math.min(2 * this.#wait, longestWait);
    });
  }
}

export const live: Live = new Live();
