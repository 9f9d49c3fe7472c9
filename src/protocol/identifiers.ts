/**
 * Names that travel: owners, jobs, rounds. Branded, so that an owner is never passed where a job is meant, and parsed at the
 * edge only.
 */
import { z } from 'zod';

declare const brand: unique symbol;

/** The name of a party: 1 to 63 letters, digits, hyphens, underscores and dots, beginning with a letter or digit. */
export type PartyId = string & { readonly [brand]: 'PartyId' | 'OwnerId' };

/** The name of a data owner, which is a party's. */
export type OwnerId = string & { readonly [brand]: 'OwnerId' };

/** The name of a job, chosen by its model owner so that creating it can be repeated: same alphabet as an owner's. */
export type JobId = string & { readonly [brand]: 'JobId' };

const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const alphabet = 'expected 1 to 63 letters, digits, "-", "_" or ".", beginning with a letter or digit';

export const partyIdSchema: z.ZodType<PartyId, string> = z
  .string()
  .regex(name, alphabet)
  .transform((text) => text as PartyId);

/** Parses the name of a data owner: 1 to 63 letters, digits, "-", "_" or ".", beginning with a letter or digit. */
export const ownerIdSchema: z.ZodType<OwnerId, string> = z
  .string()
  .regex(name, alphabet)
  .transform((text) => text as OwnerId);

export const jobIdSchema: z.ZodType<JobId, string> = z
  .string()
  .regex(name, alphabet)
  .transform((text) => text as JobId);

/** Rounds of a job are counted from 1. */
export const roundNumberSchema: z.ZodType<number, number> = z.number().int().min(1).max(1_000_000_000);
