/** fetch that counts the bytes of the bodies that go out and come in; what HTTP and TLS put around them is not counted. */

export interface CountedBytes {
  sent: number;
  received: number;
}

export function createCountingFetch(inner: typeof fetch): {
  readonly fetch: typeof fetch;
  readonly figures: CountedBytes;
} {
  const figures: CountedBytes = { sent: 0, received: 0 };
  return {
    figures,
    fetch: async (input, init = {}) => {
      const { body } = init;
      if (typeof body === 'string') figures.sent += Buffer.byteLength(body);
      else if (body instanceof Uint8Array) figures.sent += body.length;
      const response = await inner(input, init);
      if (response.body === null) return response;
      const counted = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) => {
            figures.received += chunk.length;
            controller.enqueue(chunk);
          },
        }),
      );
      const { status, statusText, headers } = response;
      return new Response(counted, { status, statusText, headers });
    },
  };
}
