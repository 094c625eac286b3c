import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi';
import {
  LoginRequestSchema,
  RefreshRequestSchema,
  RegisterRequestSchema,
  RegisterResponseSchema,
  SessionSchema,
  UserSchema,
} from '@relaypacs/core/contract/accounts.js';
import { UploadEventSchema } from '@relaypacs/core/contract/events.js';
import {
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  type ProblemCode,
  ProblemSchema,
} from '@relaypacs/core/contract/problem.js';
import {
  CompleteUploadRequestSchema,
  CreateUploadRequestSchema,
  CreateUploadResponseSchema,
  UPLOAD_STATUSES,
  UploadDetailSchema,
  UploadListQuerySchema,
  UploadListSchema,
  UploadTokenResponseSchema,
} from '@relaypacs/core/contract/uploads.js';
import { z } from 'zod';

type Method = 'get' | 'post' | 'delete' | 'head' | 'patch' | 'options';

interface Operation {
  method: Method;
  path: string;
  tag: string;
  summary: string;
  /** Bearer token needed. */
  secured?: boolean;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  answers: Record<number, { description: string; schema?: z.ZodType; mediaType?: string }>;
  problems: ProblemCode[];
}

const Id = z.object({ id: z.string() });
const FileId = z.object({ fileId: z.string() });
const StatusAnswer = z.object({ id: z.string(), status: z.enum(UPLOAD_STATUSES) });

const OPERATIONS: Operation[] = [
  {
    method: 'post',
    path: '/api/v1/auth/register',
    tag: 'Accounts',
    summary: 'Make an account; the first one of an empty system becomes the administrator',
    body: RegisterRequestSchema,
    answers: { 201: { description: 'The account', schema: RegisterResponseSchema } },
    problems: [
      'REGISTRATION_CLOSED',
      'USERNAME_TAKEN',
      'EMAIL_TAKEN',
      'VALIDATION_FAILED',
      'RATE_LIMITED',
      'UNAVAILABLE',
    ],
  },
  {
    method: 'post',
    path: '/api/v1/auth/login',
    tag: 'Accounts',
    summary: 'Sign in; the refresh token comes as a cookie, or in the body with ?tokenDelivery=body',
    query: z.object({ tokenDelivery: z.literal('body').optional() }),
    body: LoginRequestSchema,
    answers: { 200: { description: 'Access token and account', schema: SessionSchema } },
    problems: [
      'INVALID_CREDENTIALS',
      'ACCOUNT_PENDING',
      'ACCOUNT_DISABLED',
      'VALIDATION_FAILED',
      'RATE_LIMITED',
      'UNAVAILABLE',
    ],
  },
  {
    method: 'post',
    path: '/api/v1/auth/refresh',
    tag: 'Accounts',
    summary: 'Exchange the refresh token for a new pair; one used twice ends the session',
    body: RefreshRequestSchema,
    answers: { 200: { description: 'New tokens', schema: SessionSchema } },
    problems: ['UNAUTHENTICATED', 'INVALID_TOKEN'],
  },
  {
    method: 'post',
    path: '/api/v1/auth/logout',
    tag: 'Accounts',
    summary: 'End the session',
    body: RefreshRequestSchema,
    answers: { 204: { description: 'Ended' } },
    problems: [],
  },
  {
    method: 'get',
    path: '/api/v1/me',
    tag: 'Accounts',
    summary: 'The account that is signed in',
    secured: true,
    answers: { 200: { description: 'The account', schema: UserSchema } },
    problems: ['UNAUTHENTICATED', 'INVALID_TOKEN'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads',
    tag: 'Uploads',
    summary: 'Announce a study; the answer carries the upload token and the tus endpoint',
    secured: true,
    body: CreateUploadRequestSchema,
    answers: { 201: { description: 'Ready to take files', schema: CreateUploadResponseSchema } },
    problems: ['UNAUTHENTICATED', 'DUPLICATE_STUDY', 'UPLOAD_TOO_LARGE', 'VALIDATION_FAILED', 'RATE_LIMITED'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads',
    tag: 'Uploads',
    summary: 'Own uploads, newest first; administrators see all',
    secured: true,
    query: UploadListQuerySchema,
    answers: { 200: { description: 'A page of uploads', schema: UploadListSchema } },
    problems: ['UNAUTHENTICATED', 'VALIDATION_FAILED'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads/{id}',
    tag: 'Uploads',
    summary: 'One upload with its files, studies, delivery and timeline',
    secured: true,
    params: Id,
    answers: { 200: { description: 'The upload', schema: UploadDetailSchema } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/complete',
    tag: 'Uploads',
    summary: 'Say that all files are sent, optionally with their digests; idempotent',
    secured: true,
    params: Id,
    body: CompleteUploadRequestSchema,
    answers: { 202: { description: 'Accepted', schema: StatusAnswer } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'FILES_INCOMPLETE', 'CHECKSUM_CONFLICT', 'UPLOAD_NOT_OPEN'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/token',
    tag: 'Uploads',
    summary: 'A fresh upload token',
    secured: true,
    params: Id,
    answers: { 200: { description: 'The token', schema: UploadTokenResponseSchema } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'UPLOAD_NOT_OPEN'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/retry',
    tag: 'Uploads',
    summary: 'Try a failed upload again',
    secured: true,
    params: Id,
    answers: { 202: { description: 'Accepted', schema: StatusAnswer } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT'],
  },
  {
    method: 'delete',
    path: '/api/v1/uploads/{id}',
    tag: 'Uploads',
    summary: 'Cancel: stop the transfer and remove the bytes; not once delivery has begun',
    secured: true,
    params: Id,
    answers: { 204: { description: 'Cancelled' } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT'],
  },
  {
    method: 'post',
    path: '/files',
    tag: 'tus',
    summary: 'tus 1.0.0: create a file, with its first bytes if you like (creation, creation-with-upload)',
    secured: true,
    answers: { 201: { description: 'Created; see Location and Upload-Offset' } },
    problems: [
      'UNAUTHENTICATED',
      'NOT_FOUND',
      'UPLOAD_NOT_OPEN',
      'GONE',
      'UPLOAD_TOO_LARGE',
      'TOO_MANY_FILES',
    ],
  },
  {
    method: 'head',
    path: '/files/{fileId}',
    tag: 'tus',
    summary: 'tus 1.0.0: how many bytes are safe',
    secured: true,
    params: FileId,
    answers: { 200: { description: 'See Upload-Offset' } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'GONE'],
  },
  {
    method: 'patch',
    path: '/files/{fileId}',
    tag: 'tus',
    summary: 'tus 1.0.0: append bytes at the offset',
    secured: true,
    params: FileId,
    answers: { 204: { description: 'See Upload-Offset' } },
    problems: [
      'UNAUTHENTICATED',
      'NOT_FOUND',
      'OFFSET_CONFLICT',
      'GONE',
      'UPLOAD_TOO_LARGE',
      'UNSUPPORTED_MEDIA_TYPE',
    ],
  },
  {
    method: 'delete',
    path: '/files/{fileId}',
    tag: 'tus',
    summary: 'tus 1.0.0: remove a file of an upload that is still open (termination)',
    secured: true,
    params: FileId,
    answers: { 204: { description: 'Removed' } },
    problems: ['UNAUTHENTICATED', 'NOT_FOUND', 'UPLOAD_NOT_OPEN'],
  },
  {
    method: 'get',
    path: '/api/v1/events',
    tag: 'Events',
    summary: 'Server-sent events: `upload` says that an upload changed',
    secured: true,
    answers: {
      200: { description: 'A stream of events', schema: UploadEventSchema, mediaType: 'text/event-stream' },
    },
    problems: ['UNAUTHENTICATED'],
  },
];

function problemAnswers(codes: readonly ProblemCode[]) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes)
    byStatus.set(PROBLEMS[code].status, [...(byStatus.get(PROBLEMS[code].status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      { description: group.join(', '), content: { [PROBLEM_MEDIA_TYPE]: { schema: ProblemSchema } } },
    ]),
  );
}

/** The OpenAPI 3.1 description of what is served, made from the schemas that also check requests. */
export function openApiDocument(): object {
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  for (const operation of OPERATIONS) {
    registry.registerPath({
      method: operation.method,
      path: operation.path,
      tags: [operation.tag],
      summary: operation.summary,
      ...(operation.secured ? { security: [{ [bearer.name]: [] }] } : {}),
      request: {
        ...(operation.params ? { params: operation.params } : {}),
        ...(operation.query ? { query: operation.query } : {}),
        ...(operation.body ? { body: { content: { 'application/json': { schema: operation.body } } } } : {}),
      },
      responses: {
        ...Object.fromEntries(
          Object.entries(operation.answers).map(([status, { description, schema, mediaType }]) => [
            status,
            {
              description,
              ...(schema ? { content: { [mediaType ?? 'application/json']: { schema } } } : {}),
            },
          ]),
        ),
        ...problemAnswers(operation.problems),
      },
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'RelayPACS',
      version: '0.1.0',
      description:
        'Takes imaging studies over bad networks and brings them, complete and verified, into a PACS.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
  });
}
