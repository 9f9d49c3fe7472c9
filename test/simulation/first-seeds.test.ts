/** The first half of the simulations; in two files, so that two processors share them. */
import { suite } from 'uvu';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { seedsPerFile, simulateSeeds } from './seeds.ts';

const test = suite('simulations, first half');

test(`every round of ${seedsPerFile} simulations is the sum that its manifest names, and everything ends`, async () => {
  await simulateSeeds(1, await generateKeyPair({ bits: 2048 }));
});

test.run();
