import { suite } from 'uvu';
import { crashTests } from './crashes.ts';
import { postgres } from './places.ts';

const test = suite('crashes with PostgreSQL');

crashTests(test, 'crashes with PostgreSQL', postgres);

test.run();
