import { z } from 'zod';
import { line } from './primitives.js';

/** What an API token may be allowed to do: send and follow uploads, read reports. */
export const API_TOKEN_SCOPES = ['uploads:write', 'reports:read'] as const;
export type ApiTokenScope = (typeof API_TOKEN_SCOPES)[number];

/** What every API token begins with, so that secret scanners know one when they meet it. */
export const API_TOKEN_PREFIX = 'rpt_';

export const CreateApiTokenRequestSchema = z.strictObject({
  /** For the person who has to tell their tokens apart. */
  name: line(100),
  scopes: z
    .array(z.enum(API_TOKEN_SCOPES))
    .min(1, 'Choose at least one scope')
    .refine((scopes) => new Set(scopes).size === scopes.length, 'Name each scope once'),
  expiresInDays: z.int().min(1).max(365).default(90),
});
/** What the server reads from a request. */
export type CreateApiTokenRequest = z.output<typeof CreateApiTokenRequestSchema>;

const NewApiTokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(API_TOKEN_SCOPES)),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});

export const ApiTokenSchema = NewApiTokenSchema.extend({
  /** To the minute; null until the first use. */
  lastUsedAt: z.iso.datetime().nullable(),
});
export type ApiToken = z.infer<typeof ApiTokenSchema>;

/** `token` is shown here and never again: only its hash is kept. */
export const CreatedApiTokenSchema = NewApiTokenSchema.extend({ token: z.string() });
export type CreatedApiToken = z.infer<typeof CreatedApiTokenSchema>;

/** All tokens of the account that can still be used; they fit on one page. */
export const ApiTokenListSchema = z.object({ items: z.array(ApiTokenSchema), nextCursor: z.null() });
export type ApiTokenList = z.infer<typeof ApiTokenListSchema>;
