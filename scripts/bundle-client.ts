/** Makes dist/browser/client.js, which is `sealsum/client` for browsers. Part of npm run build. */
import { bundleForBrowsers } from './browser-bundle.ts';

await bundleForBrowsers('src/client.browser.ts', 'dist/browser/client.js');
