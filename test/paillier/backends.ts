/** The backends of this machine, for tests that must hold on each. */
import { availableBackends, type ModularBackend } from '../../src/paillier/backend.ts';

/** The native kernel's engines where it is built, OpenSSL, BigInt. */
export const backends: readonly ModularBackend[] = availableBackends();

if (!backends.some(({ kernel }) => kernel !== undefined))
  console.log('skipped: the native kernel is not built here (npm run build:native), the other backends are tested');
