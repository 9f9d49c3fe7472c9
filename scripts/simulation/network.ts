/**
 * A network in memory, between real clients and real apps, on which every request and every answer may be delayed, reordered,
 * lost or repeated, and every stream may break at any event.
 *
 * Who sends learns of a lost message what TCP would tell: nothing for a while, then that the line broke.
 */
import type { ReadableStreamDefaultReader } from 'node:stream/web';
import type { Chance } from './chance.ts';
import type { Timeline } from './timeline.ts';

/** What answers requests at one address. */
export type Server = (request: Request) => Response | Promise<Response>;

/** Probabilities, of each message. */
export interface Faults {
  readonly lost: number;
  readonly repeated: number;
  readonly slow: number;
  /** Of each chunk of a stream. */
  readonly broken: number;
}

export interface Network {
  /** Puts a server at an authority such as `facilitator.test:8080`; returns the way to take it away, which breaks its lines. */
  serve(authority: string, server: Server): () => void;
  /** fetch for one life of a party. Nothing it asked is ever answered once `alive` is false. */
  fetchFor(party: string, alive: () => boolean): typeof fetch;
  /** Cuts a party off from everybody, or joins it again. */
  separate(party: string, separated: boolean): void;
  /** From now on. */
  setFaults(faults: Faults): void;
  readonly counts: Readonly<Record<'sent' | 'lost' | 'repeated' | 'slow' | 'broken', number>>;
}

/** Milliseconds that a message takes, and a slow one at most. */
const usual = [1, 20] as const;
const slow = [100, 3000] as const;
/** Milliseconds until somebody learns that a message was lost. */
const timeout = 2000;

interface Place {
  readonly server: Server;
  readonly lines: Set<(error: Error) => void>;
}

export function createNetwork(timeline: Timeline, chance: Chance): Network {
  const places = new Map<string, Place>();
  const separated = new Set<string>();
  const counts = { sent: 0, lost: 0, repeated: 0, slow: 0, broken: 0 };
  let faults: Faults = { lost: 0, repeated: 0, slow: 0, broken: 0 };

  function latency(): number {
    if (!chance.happens(faults.slow)) return chance.between(...usual);
    counts.slow += 1;
    return chance.between(...slow);
  }

  /** Whether a message arrives at all. */
  function arrives(party: string): boolean {
    const arrived = !separated.has(party) && !chance.happens(faults.lost);
    if (!arrived) counts.lost += 1;
    return arrived;
  }

  function travel(party: string, line: Line): Promise<void> {
    return new Promise((resolve, reject) => {
      const arrived = arrives(party);
      line.cancel = timeline.schedule(arrived ? latency() : timeout, () => {
        if (arrived) resolve();
        else reject(broken('the message was lost'));
      });
    });
  }

  async function exchange(party: string, authority: string, request: Request, line: Line): Promise<Response> {
    counts.sent += 1;
    const copy = chance.happens(faults.repeated) ? request.clone() : undefined;
    if (copy !== undefined) {
      counts.repeated += 1;
      timeline.schedule(latency(), () => {
        // Nobody waits for the answer to a repeated message.
        void Promise.resolve(places.get(authority)?.server(copy)).then((response) => response?.body?.cancel());
      });
    }
    await travel(party, line);
    const place = places.get(authority);
    if (place === undefined) throw broken(`nobody listens at ${authority}`);
    place.lines.add(line.break);
    line.ended = () => place.lines.delete(line.break);
    const response = await place.server(request);
    await travel(party, line);
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true)
      return streamed(party, response, line);
    const body = response.body === null ? null : await response.arrayBuffer();
    line.ended();
    return new Response(body, { status: response.status, headers: response.headers });
  }

  /** A stream that travels chunk by chunk, in order. */
  function streamed(party: string, response: Response, line: Line): Response {
    const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          line.broke = (error) => {
            controller.error(error);
            void reader?.cancel();
          };
        },
        pull: async (controller) => {
          const chunk = await reader?.read();
          if (chunk === undefined || chunk.done) {
            controller.close();
            line.ended();
            return;
          }
          if (chance.happens(faults.broken)) {
            counts.broken += 1;
            line.break(broken('the stream broke'));
            return;
          }
          await travel(party, line);
          controller.enqueue(chunk.value);
        },
        cancel: async () => {
          line.ended();
          await reader?.cancel();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { status: response.status, headers: response.headers });
  }

  return {
    counts,
    serve: (authority, server) => {
      const place: Place = { server, lines: new Set() };
      places.set(authority, place);
      return () => {
        if (places.get(authority) === place) places.delete(authority);
        for (const cut of [...place.lines]) cut(broken('the other side is gone'));
      };
    },
    fetchFor: (party, alive) => (input, init) =>
      new Promise((resolve, reject) => {
        const { signal, ...rest } = init ?? {};
        const request = new Request(input, rest);
        // What HTTP/1.1 says of a body whose length is known.
        const length = typeof rest.body === 'string' ? Buffer.byteLength(rest.body) : byteLength(rest.body);
        if (length !== undefined) request.headers.set('content-length', String(length));
        const line = new Line((error) => {
          if (alive()) reject(error);
        });
        const stop = (): void => {
          line.break(new DOMException('This operation was aborted', 'AbortError'));
        };
        if (signal?.aborted === true) {
          stop();
          return;
        }
        signal?.addEventListener('abort', stop, { once: true });
        exchange(party, new URL(request.url).host, request, line).then(
          (response) => {
            if (alive()) resolve(response);
          },
          (error: unknown) => {
            line.break(error instanceof Error ? error : broken(String(error)));
          },
        );
      }),
    separate: (party, apart) => {
      if (apart) separated.add(party);
      else separated.delete(party);
    },
    setFaults: (next) => {
      faults = next;
    },
  };
}

/** One request on its way, its answer, and the stream that may come of it. */
class Line {
  cancel: () => void = () => undefined;
  ended: () => void = () => undefined;
  broke: (error: Error) => void;

  constructor(broke: (error: Error) => void) {
    this.broke = broke;
  }

  readonly break = (error: Error): void => {
    this.cancel();
    this.ended();
    const { broke } = this;
    this.broke = () => undefined;
    broke(error);
  };
}

function byteLength(body: unknown): number | undefined {
  return body instanceof Uint8Array || body instanceof ArrayBuffer ? body.byteLength : undefined;
}

function broken(why: string): Error {
  return new TypeError('fetch failed', { cause: new Error(why) });
}
