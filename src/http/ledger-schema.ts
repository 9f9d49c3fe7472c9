/** The answer to a data owner's GET /ledger, and what other answers have of it. */
import { z } from 'zod';
import type { AccountView, CapsView, LedgerStatement, RhoView } from '../privacy/ledger-statement.ts';

export const rhoViewSchema: z.ZodType<RhoView> = z.object({
  numerator: z.string(),
  denominator: z.string(),
  value: z.number(),
});
const amount = z.object({ rho: rhoViewSchema, epsilon: z.number().nullable() });
const unit = z.enum(['record', 'owner']);
const neighbours = z.enum(['zero-out', 'substitution']).nullable();
const count = z.number().int();

export const capsViewSchema: z.ZodType<CapsView> = z.object({
  rho_per_round: rhoViewSchema.nullable(),
  rho_total: rhoViewSchema.nullable(),
  epsilon: z.number().nullable(),
  delta: z.number().nullable(),
});

export const accountViewSchema: z.ZodType<AccountView> = z.object({
  dataset: z.string().nullable(),
  unit,
  neighbours,
  rounds: count,
  unprotected_rounds: count,
  spent: amount,
  left: amount.nullable(),
});

export const ledgerStatementSchema: z.ZodType<LedgerStatement> = z.object({
  spent_rho: rhoViewSchema,
  rounds: count,
  unprotected_rounds: count,
  caps: capsViewSchema,
  accounts: z.array(accountViewSchema),
  entries: z.array(
    z.object({
      job: z.string(),
      round: count,
      dataset: z.string().nullable(),
      rho: rhoViewSchema.nullable(),
      unit: unit.nullable(),
      neighbours,
      sampling: z.number().nullable(),
      at: z.string(),
    }),
  ),
});
