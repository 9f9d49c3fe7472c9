/** What all of the facilitator's interface has in common: requests are signed, and a message says itself where it belongs. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { SealsumError } from '../../src/errors.ts';
import type { AuthenticatedEnv } from '../../src/http/authentication.ts';

/** RFC 9421 signs with two headers, which belong together. */
export const security: { signature: string[]; signatureInput: string[] }[] = [{ signature: [], signatureInput: [] }];

/** Says in the document of the interface how that is done. */
export function describeSignatures(app: OpenAPIHono<AuthenticatedEnv>): void {
  const header = (name: string, description: string) => ({ type: 'apiKey', in: 'header', name, description }) as const;
  app.openAPIRegistry.registerComponent(
    'securitySchemes',
    'signature',
    header('Signature', "RFC 9421, Ed25519, by the asking party's key of the roster file"),
  );
  app.openAPIRegistry.registerComponent(
    'securitySchemes',
    'signatureInput',
    header(
      'Signature-Input',
      'What is signed: @method, @authority, @path, @query and, with a body, content-digest; created, nonce, keyid',
    ),
  );
}

/** Refuses a message that is for another place than the one it was sent to. @throws SealsumError message_invalid */
export function requireSamePlace(what: string, path: Readonly<Record<string, string | number>>, message: object): void {
  const said = new Map<string, unknown>(Object.entries(message));
  for (const [field, value] of Object.entries(path))
    if (said.get(field) !== value)
      throw new SealsumError('message_invalid', `${what}.${field}: the address says ${value}, the message another`, {
        field: `${what}.${field}`,
      });
}
