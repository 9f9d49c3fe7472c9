/** The real parties, each startable again and again over what it has on disk. */

import { createDataOwner } from '../../parties/data-owner/service.ts';
import { createFacilitatorApp } from '../../parties/facilitator/app.ts';
import { createFacilitator } from '../../parties/facilitator/service.ts';
import { createModelOwner, type ModelOwner } from '../../parties/model-owner/service.ts';
import type { NewKeySource } from '../../src/collecting/new-key.ts';
import type { KeyChecks } from '../../src/contributing/key-checks.ts';
import { authenticate } from '../../src/http/authentication.ts';
import { createFacilitatorClient } from '../../src/http/facilitator-client.ts';
import type { Logger } from '../../src/http/log.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { createLedger } from '../../src/privacy/ledger.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import { createDataOwnerStore } from '../../src/storage/durable-data-owner-store.ts';
import { createFacilitatorStore } from '../../src/storage/durable-facilitator-store.ts';
import { createLedgerStore } from '../../src/storage/durable-ledger-store.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { createNonceStore } from '../../src/storage/durable-nonce-store.ts';
import type { FacilitatorStore } from '../../src/storage/facilitator-store.ts';
import type { ModelStore } from '../../src/storage/model-store.ts';
import type { Life } from './life.ts';
import type { Network } from './network.ts';
import { datasetsOf } from './sample.ts';

/** Where the facilitator is found on the simulated network. */
export const facilitatorAuthority = 'facilitator.test:8080';

export interface Surroundings {
  readonly network: Network;
  readonly parties: Parties;
  readonly facilitator: Identity;
  readonly log: Logger;
  /** Comes between the facilitator and its store. */
  readonly alter: (store: FacilitatorStore) => FacilitatorStore;
}

export async function startFacilitator(
  { network, parties, facilitator: identity, log, alter }: Surroundings,
  life: Life,
): Promise<FacilitatorStore> {
  const { clock, signal, checkpoint, random } = life;
  const store = alter(createFacilitatorStore(life.database, life.audit));
  const facilitator = createFacilitator({
    identity,
    parties: () => parties,
    store,
    clock,
    log,
    random,
    checkpoint,
    // Not worth their while for rounds of one ciphertext.
    limits: { tables: 0 },
  });
  life.onDeath(facilitator.stop);
  await facilitator.start();
  const app = createFacilitatorApp({
    facilitator,
    clock,
    log,
    signal,
    authentication: authenticate({
      parties: () => parties,
      nonces: createNonceStore(life.database),
      clock,
      authorities: () => [facilitatorAuthority],
    }),
  });
  life.onDeath(network.serve(facilitatorAuthority, (request) => app.fetch(request)));
  return store;
}

export async function startDataOwner(
  { parties, facilitator, log }: Surroundings,
  life: Life,
  identity: Identity,
  place: { readonly index: number; readonly owners: number },
  keyChecks: KeyChecks,
): Promise<void> {
  const { clock, signal, checkpoint, random } = life;
  const dataOwner = await createDataOwner({
    identity,
    facilitator: facilitator.name,
    parties: () => parties,
    storageKey: identity.derive('simulated storage'),
    client: connect(life, identity, 3_600_000),
    datasets: datasetsOf(place.index, place.owners),
    store: createDataOwnerStore(life.database, life.audit),
    ledger: createLedger(createLedgerStore(life.database), () => new Date(clock.now())),
    clock,
    log,
    signal,
    random,
    checkpoint,
    keys: keyChecks,
  });
  dataOwner.run().catch((error: unknown) => {
    if (life.alive()) log.error({ err: error }, 'a data owner gave up');
  });
}

export async function startModelOwner(
  { parties, facilitator, log }: Surroundings,
  life: Life,
  identity: Identity,
  newKey: NewKeySource,
): Promise<{ readonly modelOwner: ModelOwner; readonly store: ModelStore }> {
  const { clock, signal, checkpoint, random } = life;
  const store = createModelStore(life.database, life.audit);
  const modelOwner = createModelOwner({
    identity,
    parties: () => parties,
    facilitator: facilitator.name,
    connect: (patience) => connect(life, identity, patience),
    store,
    storageKey: identity.derive('simulated storage'),
    clock,
    log,
    signal,
    newKey,
    random,
    checkpoint,
  });
  await modelOwner.start();
  return { modelOwner, store };
}

function connect(life: Life, identity: Identity, patience: number) {
  const { clock, random } = life;
  return createFacilitatorClient({
    url: `http://${facilitatorAuthority}`,
    fetch: createSignedFetch({ identity, fetch: life.fetch, clock, random }),
    clock,
    random,
    patience,
  });
}
