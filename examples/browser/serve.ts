/**
 * Serves the page of this folder, with a policy under which it can load nothing from elsewhere and speak to the facilitator alone.
 *
 *     npm run build && npx sealsum init project
 *     printf '[browsers]\norigins = ["http://127.0.0.1:8000"]\n' >> project/facilitator/config.toml
 *     scripts/run_facilitator.sh --config project/facilitator/config.toml &
 *     node dist/examples/browser/serve.js project &
 *     node dist/examples/browser/sum.js project
 *
 * and then, in a browser, once for owner-1 and in another tab for owner-2: http://127.0.0.1:8000
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleForBrowsers } from '../../scripts/browser-bundle.ts';
import { readRoster } from '../../src/index.ts';
import type { Project } from './project.ts';

const [folder = 'project', port = '8000'] = process.argv.slice(2);
const sources = join('examples', 'browser');

const { parties } = await readRoster(join(folder, 'roster.toml'));
const facilitator = parties.find(({ role }) => role === 'facilitator')?.url;
if (facilitator === undefined) throw new Error(`${folder}/roster.toml says no address of a facilitator`);
const project: Project = {
  facilitator,
  parties: parties.map(({ name, role, key, previous }) => ({ name, role, key, previous })),
};

const bundles = await mkdtemp(join(tmpdir(), 'sealsum-page-'));
const script = join(bundles, 'page.js');
await bundleForBrowsers(join(sources, 'page.ts'), script);
const served = new Map<string, readonly [type: string, content: Uint8Array | string]>([
  ['/', ['text/html', await readFile(join(sources, 'index.html'))]],
  ['/style.css', ['text/css', await readFile(join(sources, 'style.css'))]],
  ['/page.js', ['text/javascript', await readFile(script)]],
  ['/project.json', ['application/json', JSON.stringify(project)]],
]);
await rm(bundles, { recursive: true });

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  `connect-src 'self' ${new URL(facilitator).origin}`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const server = createServer(({ url = '' }, response) => {
  const found = served.get(url);
  const [type, content] = found ?? ['text/plain', 'there is nothing here'];
  response.writeHead(found === undefined ? 404 : 200, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': policy,
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  response.end(content);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`the page is at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
