/** `sealsum/client` as browsers load it. */
import './platform/without-eval.browser.ts';

export * from './client.ts';
