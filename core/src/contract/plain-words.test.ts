import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LoginRequestSchema, RefreshRequestSchema, RegisterRequestSchema } from './accounts.js';
import { CreateApiTokenRequestSchema } from './api-tokens.js';
import { CorrectUploadRequestSchema } from './corrections.js';
import { plainWords } from './plain-words.js';
import { ResendRequestSchema } from './resends.js';
import {
  CompleteUploadRequestSchema,
  CreateUploadRequestSchema,
  ImplicitUploadSchema,
  InstanceListQuerySchema,
  ReopenUploadRequestSchema,
  UploadListQuerySchema,
} from './uploads.js';

const messages = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value, { error: plainWords }).error?.issues.map(({ message }) => message) ?? [];

describe('what is said of a wrong field', () => {
  it.each<[string, z.ZodType, unknown, string]>([
    ['missing', z.string(), undefined, 'This field is needed'],
    ['of another type', z.string(), 5, 'Text is needed here'],
    ['not whole', z.int(), 1.5, 'A whole number is needed here'],
    ['no number', z.coerce.number(), 'many', 'A number is needed here'],
    ['no list', z.array(z.string()), {}, 'A list is needed here'],
    ['too small', z.int().min(1), 0, 'At least 1'],
    ['too large', z.int().max(100), 101, 'At most 100'],
    ['too long', z.string().max(64), 'x'.repeat(65), 'At most 64 characters'],
    ['too short', z.string().min(3), 'x', 'At least 3 characters'],
    ['empty', z.string().min(1), '', 'This field is needed'],
    ['too many', z.array(z.string()).max(1), ['a', 'b'], 'At most 1 entry'],
    ['none of the choices', z.enum(['M', 'F', 'O']), 'X', 'Choose one of M, F, O'],
    ['missing, with choices', z.enum(['M', 'F']), undefined, 'This field is needed: choose one of M, F'],
    ['no email address', z.email(), 'jane', 'An email address is needed here'],
  ])('%s', (_, schema, value, words) => {
    expect(messages(schema, value)).toEqual([words]);
  });

  it('is what the schema says, where that has words of its own', () => {
    expect(messages(z.string('The name of the patient is needed'), 5)).toEqual([
      'The name of the patient is needed',
    ]);
  });
});

const REQUESTS = {
  RegisterRequestSchema,
  LoginRequestSchema,
  RefreshRequestSchema,
  CreateApiTokenRequestSchema,
  CreateUploadRequestSchema,
  ImplicitUploadSchema,
  CompleteUploadRequestSchema,
  ReopenUploadRequestSchema,
  CorrectUploadRequestSchema,
  ResendRequestSchema,
  UploadListQuerySchema,
  InstanceListQuerySchema,
};
const ODD = [
  undefined,
  null,
  5,
  1.5,
  -1,
  1e300,
  '',
  'x',
  'x'.repeat(99_999),
  '\u0000',
  true,
  [],
  {},
  [null],
  [{}],
];

it.each(Object.entries(REQUESTS))('never speaks in the words of the library (%s)', (_, schema) => {
  const object = schema instanceof z.ZodPipe ? schema.in : schema;
  const fields = Object.keys((object as z.ZodObject).shape);
  expect(fields.length).toBeGreaterThan(0);
  const told = [
    ...ODD.flatMap((value) => messages(schema, value)),
    ...fields.flatMap((field) => ODD.flatMap((value) => messages(schema, { [field]: value }))),
    ...messages(schema, { files: [{ id: 5, size: 'x', md5: 'x' }], scopes: ['all'] }),
  ];
  expect(told.filter((words) => /invalid|expected|received \w|too (small|big)|pattern/i.test(words))).toEqual(
    [],
  );
});
