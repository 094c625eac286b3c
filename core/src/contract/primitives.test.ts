import { describe, expect, it } from 'vitest';
import { LoginRequestSchema, RefreshRequestSchema } from './accounts.js';
import { DateSchema } from './primitives.js';
import { CompleteUploadRequestSchema, UploadListQuerySchema } from './uploads.js';

describe('what the database cannot hold is refused before it gets there', () => {
  it.each(['0000-01-01', '0001-01-01', '0999-12-31', '2026-02-30'])('as a date: %s', (date) => {
    expect(DateSchema.safeParse(date).success).toBe(false);
  });

  it.each(['1000-01-01', '1926-02-28', '9999-12-31'])('but not %s', (date) => {
    expect(DateSchema.safeParse(date).success).toBe(true);
  });

  it.each([
    ['a username', LoginRequestSchema, { username: 'a\0b', password: 'x' }],
    ['a refresh token', RefreshRequestSchema, { refreshToken: 'a\0b' }],
    ['a search', UploadListQuerySchema, { q: 'a\0b' }],
    ['a cursor', UploadListQuerySchema, { cursor: 'a\0b' }],
    ['an account id', UploadListQuerySchema, { userId: 'a\0b' }],
    ['a file id', CompleteUploadRequestSchema, { files: [{ id: 'a\0b', size: 1 }] }],
  ])('as %s with U+0000', (_what, schema, value) => {
    const messages = schema.safeParse(value).error?.issues.map((issue) => issue.message);
    expect(messages).toEqual(['Control characters are not allowed']);
  });
});
