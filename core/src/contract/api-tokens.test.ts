import { describe, expect, it } from 'vitest';
import { CreateApiTokenRequestSchema } from './api-tokens.js';

const good = { name: 'Modality gateway', scopes: ['uploads:write'] };
const wrongFields = (request: object) =>
  CreateApiTokenRequestSchema.safeParse(request).error?.issues.map(({ path }) => path.join('.')) ?? [];

describe('a request for an API token', () => {
  it('asks for 90 days where it does not say', () => {
    expect(CreateApiTokenRequestSchema.parse(good)).toEqual({ ...good, expiresInDays: 90 });
  });

  it('takes every scope, each limit, and a name without the blanks around it', () => {
    const most = {
      name: ` ${'x'.repeat(100)} `,
      scopes: ['reports:read', 'uploads:write'],
      expiresInDays: 365,
    };
    expect(CreateApiTokenRequestSchema.parse(most)).toEqual({ ...most, name: 'x'.repeat(100) });
    expect(wrongFields({ ...good, expiresInDays: 1 })).toEqual([]);
  });

  it.each([
    ['no name', { name: undefined }, 'name'],
    ['an empty name', { name: '  ' }, 'name'],
    ['a name that is too long', { name: 'x'.repeat(101) }, 'name'],
    ['a line break in the name', { name: 'a\nb' }, 'name'],
    ['U+0000 in the name', { name: 'a\0b' }, 'name'],
    ['a name that is no text', { name: 7 }, 'name'],
    ['no scopes', { scopes: undefined }, 'scopes'],
    ['an empty list of scopes', { scopes: [] }, 'scopes'],
    ['a scope twice', { scopes: ['uploads:write', 'uploads:write'] }, 'scopes'],
    ['a scope there is not', { scopes: ['uploads:write', 'admin'] }, 'scopes.1'],
    ['scopes as one text', { scopes: 'uploads:write' }, 'scopes'],
    ['no day', { expiresInDays: 0 }, 'expiresInDays'],
    ['more than a year', { expiresInDays: 366 }, 'expiresInDays'],
    ['half a day', { expiresInDays: 0.5 }, 'expiresInDays'],
    ['days as text', { expiresInDays: '90' }, 'expiresInDays'],
    ['for ever', { expiresInDays: null }, 'expiresInDays'],
  ])('is refused with %s', (_what, wrong, field) => {
    expect(wrongFields({ ...good, ...wrong })).toEqual([field]);
  });

  it('is refused with a field nobody knows', () => {
    expect(CreateApiTokenRequestSchema.safeParse({ ...good, userId: 'x' }).success).toBe(false);
  });
});
