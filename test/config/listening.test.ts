/** What a configuration says of listening, as the server takes it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createConfig } from '../../src/config/config-file.ts';
import { listeningOf } from '../../src/config/listening.ts';

const test = suite('listening as configured');

test('address, certificates and limits, seconds as milliseconds', () => {
  const config = createConfig(
    'facilitator',
    {
      name: 'sums',
      listen: { host: '127.0.0.1', port: 8443 },
      limits: { connections: 7, header_bytes: 2048, body_seconds: 9 },
      role: 'facilitator',
    },
    'config.toml',
  );
  const limits = { connections: 7, headerBytes: 2048, bodyGrace: 9000 };
  assert.deepEqual(listeningOf(config, undefined), { host: '127.0.0.1', port: 8443, limits });
  const tls = { cert: 'certificate', key: 'key' };
  assert.deepEqual(listeningOf(config, tls), { host: '127.0.0.1', port: 8443, limits, tls });
});

test.run();
