import { suite } from 'uvu';
import { crashTests } from './crashes.ts';
import { inFile } from './places.ts';

const test = suite('crashes with SQLite');

crashTests(test, 'crashes with SQLite', inFile);

test.run();
