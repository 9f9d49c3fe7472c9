/** The dashboard's files as the build has made them: read once, served by exactly their names, and nothing else. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As an ETag says it, in quotes. */
  readonly tag: string;
  /** Whether its name changes with its content. */
  readonly immutable: boolean;
}

/** By path under /ui/; the page itself is ''. */
export type Assets = ReadonlyMap<string, Asset>;

/** Beside the compiled sources, wherever this module is run from. */
export const builtDashboard: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/ui/' : '../../../ui/', import.meta.url),
);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** @returns undefined where the dashboard was not built */
export function readAssets(folder: string = builtDashboard): Assets | undefined {
  if (!existsSync(`${folder}index.html`)) return undefined;
  const assets = new Map<string, Asset>();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
  for (const name of names) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const bytes = new Uint8Array(readFileSync(folder + name));
    const tag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    assets.set(name === 'index.html' ? '' : name, { type, bytes, tag, immutable: name.startsWith('assets/') });
  }
  return assets;
}
