/** A facilitator that lies about what it multiplied, what it was sent, and what a round is. */
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { jobEventSchema } from '../../src/protocol/events.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import { type RoundView, roundViewSchema, type SignedManifest } from '../../src/protocol/round-messages.ts';
import { signObject } from '../../src/protocol/signed.ts';
import type { Cast } from './parties.ts';

type App = (request: Request) => Response | Promise<Response>;

/** What a facilitator does differently from the real one. */
export interface Lies {
  /** What it multiplies, of the contributions in the order of the owners' names. */
  readonly multiplied?: (contributions: readonly Buffer[]) => readonly Uint8Array[];
  readonly manifest?: (manifest: SignedManifest['manifest']) => SignedManifest['manifest'];
  /** What it shows of a round; to whom follows from the path alone, so to everybody. */
  readonly round?: (view: RoundView) => RoundView;
}

/** The real app, with somebody before it who changes what it answers, and signs what a facilitator can sign. */
export function lying(cast: Cast, lies: Lies): (app: App) => App {
  const contributions = new Map<string, Buffer>();
  let encryptor: Encryptor | undefined;
  let ciphertexts = 0;

  /** The request, and its body if it is one to remember. */
  async function noted(request: Request): Promise<Request> {
    const [, owner] = /\/contributions\/([^/]+)$/.exec(request.url) ?? [];
    const proposed = request.method === 'POST' && request.url.endsWith('/jobs');
    if (owner === undefined && !proposed) return request;
    const body = Buffer.from(await request.arrayBuffer());
    if (owner !== undefined) contributions.set(owner, body);
    if (proposed) {
      const { descriptor } = JSON.parse(body.toString()) as {
        descriptor: { public_key: object; plan: { ciphertexts: number } };
      };
      encryptor = createEncryptor(publicKeyFromJwk(descriptor.public_key));
      ciphertexts = descriptor.plan.ciphertexts;
    }
    return new Request(request.url, { method: request.method, headers: request.headers, body });
  }

  function product(): Uint8Array | undefined {
    if (lies.multiplied === undefined || encryptor === undefined) return undefined;
    const sent = [...contributions].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, bytes]) => bytes);
    return aggregate(encryptor, ciphertexts, lies.multiplied(sent));
  }
  let lie: Uint8Array | undefined;

  function changed(view: RoundView): RoundView {
    const shown = lies.round?.(view) ?? view;
    if (shown.manifest === undefined) return shown;
    lie ??= product();
    const named = lies.manifest?.(shown.manifest.manifest) ?? shown.manifest.manifest;
    const manifest = lie === undefined ? named : { ...named, aggregate_digest: sha256(lie) };
    return { ...shown, manifest: { manifest, signature: signObject(cast.facilitator, 'manifest', manifest) } };
  }

  return (app) => async (request) => {
    const response = await app(await noted(request));
    if (!response.ok) return response;
    if (/\/rounds\/[0-9]+$/.test(request.url))
      return Response.json(changed(roundViewSchema.parse(await response.json())));
    if (response.body !== null && response.headers.get('content-type') === 'text/event-stream')
      return new Response(response.body.pipeThrough(changedEvents(changed)), { headers: response.headers });
    if (request.url.endsWith('/aggregate') && lie !== undefined) return new Response(Uint8Array.from(lie));
    return response;
  };
}

/** A stream of events whose rounds are changed too. */
function changedEvents(changed: (view: RoundView) => RoundView): TransformStream<Uint8Array, Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  let rest = '';
  return new TransformStream({
    transform: (chunk, controller) => {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) controller.enqueue(encoder.encode(`${block.replace(/^data: (.*)$/m, told)}\n\n`));
    },
  });

  function told(line: string, json: string): string {
    const event = jobEventSchema.parse(JSON.parse(json));
    return event.view === undefined ? line : `data: ${JSON.stringify({ ...event, view: changed(event.view) })}`;
  }
}
