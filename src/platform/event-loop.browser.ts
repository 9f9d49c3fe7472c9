/** The event loop's turns, in browsers: by a message, since their timers make those who ask again and again wait 4 ms. */

/** As far as it is used here. */
interface Channel {
  readonly port1: { onmessage: (() => void) | null; close(): void };
  readonly port2: { postMessage(message: null): void };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel() as unknown as Channel;
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Browsers count no listeners. */
export function allowListeners(): void {
  // Nothing is to be done.
}
