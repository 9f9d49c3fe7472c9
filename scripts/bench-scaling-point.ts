/** One measurement of `npm run bench:scaling`, which starts it: reads a point as JSON from its argument, prints its figures. */
import { preferBackend } from '../src/paillier/backend.ts';
import { measurePoint, pointSchema } from './bench/scaling-point.ts';

preferBackend(process.env.SEALSUM_BACKEND);
console.log(JSON.stringify(await measurePoint(pointSchema.parse(JSON.parse(process.argv[2] ?? '')))));
