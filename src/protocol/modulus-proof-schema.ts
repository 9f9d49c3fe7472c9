import { z } from 'zod';
import {
  type BlumAnswer,
  blumCount,
  greatestProvenBits,
  type ModulusProof,
  rootCount,
} from '../paillier/modulus-proof.ts';

/** An integer modulo n in fixed-width base64url, as many bytes as the largest n has at most; verifyModulus checks the exact width. */
const residue = z
  .string()
  .max(Math.ceil(greatestProvenBits / 6), `expected an integer of at most ${greatestProvenBits} bits`)
  .regex(/^[A-Za-z0-9_-]+$/, 'expected base64url');

const bit = z.union([z.literal(0), z.literal(1)]);

const blumAnswer: z.ZodType<BlumAnswer> = z.strictObject({ x: residue, a: bit, b: bit, z: residue });

/** As many elements as it must have, counted before any of them is looked at. */
function exactly<T>(count: number, element: z.ZodType<T>): z.ZodType<readonly T[]> {
  const counted = (value: unknown, context: z.RefinementCtx): unknown => {
    if (!Array.isArray(value) || value.length === count) return value;
    context.addIssue({ code: 'custom', message: `expected ${count} elements, found ${value.length}` });
    return z.NEVER;
  };
  return z.preprocess(counted, z.array(element).min(count).max(count));
}

/** A proof as it travels: the form only, verifyModulus tells whether it proves anything. About 95 kB at 2048 bits. */
export const modulusProofSchema: z.ZodType<ModulusProof> = z.strictObject({
  w: residue,
  roots: exactly(rootCount, residue),
  blum: exactly(blumCount, blumAnswer),
});
