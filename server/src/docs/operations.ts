import {
  LoginRequestSchema,
  RefreshRequestSchema,
  RegisterRequestSchema,
  RegisterResponseSchema,
  SessionSchema,
  UserSchema,
} from '@relaypacs/core/contract/accounts.js';
import { SystemStatusSchema } from '@relaypacs/core/contract/admin.js';
import {
  ApiTokenListSchema,
  CreateApiTokenRequestSchema,
  CreatedApiTokenSchema,
} from '@relaypacs/core/contract/api-tokens.js';
import { CorrectUploadRequestSchema } from '@relaypacs/core/contract/corrections.js';
import { UploadEventSchema } from '@relaypacs/core/contract/events.js';
import { type ProblemCode, ProblemSchema } from '@relaypacs/core/contract/problem.js';
import { SignedReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import { ResendRequestSchema, ResendResponseSchema } from '@relaypacs/core/contract/resends.js';
import {
  CompleteUploadRequestSchema,
  CreateUploadRequestSchema,
  CreateUploadResponseSchema,
  InstanceListQuerySchema,
  InstanceListSchema,
  ReopenUploadRequestSchema,
  TargetListSchema,
  UPLOAD_STATUSES,
  UploadDetailSchema,
  UploadListQuerySchema,
  UploadListSchema,
  UploadTokenResponseSchema,
} from '@relaypacs/core/contract/uploads.js';
import { z } from 'zod';

type Method = 'get' | 'post' | 'delete' | 'head' | 'patch' | 'options';

/** One call of the API, as its description needs it. */
export interface Operation {
  method: Method;
  path: string;
  tag: string;
  summary: string;
  /** Bearer token needed. */
  secured?: boolean;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Request headers beyond Authorization. */
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** Media type of the body; JSON where it is left out. */
  bodyType?: string;
  answers: Record<
    number,
    { description: string; schema?: z.ZodType; mediaType?: string; headers?: z.ZodObject }
  >;
  problems: ProblemCode[];
}

/** Schemas that get a name in `components.schemas`, so that generated clients have types to speak of. */
export const NAMED_SCHEMAS = {
  Problem: ProblemSchema,
  User: UserSchema,
  Session: SessionSchema,
  ApiTokenList: ApiTokenListSchema,
  CreatedApiToken: CreatedApiTokenSchema,
  Upload: UploadDetailSchema,
  UploadList: UploadListSchema,
  UploadAnnouncement: CreateUploadRequestSchema,
  AnnouncedUpload: CreateUploadResponseSchema,
  InstanceList: InstanceListSchema,
  Receipt: SignedReceiptSchema,
  UploadEvent: UploadEventSchema,
} satisfies Record<string, z.ZodType>;

const Id = z.object({ id: z.string() });
const FileId = z.object({ fileId: z.string() });
const StatusAnswer = z.object({ id: z.string(), status: z.enum(UPLOAD_STATUSES) });

const Bytes = z.int().min(0);
const TusResumable = z.literal('1.0.0');
const TusVersion = z.object({ 'Tus-Resumable': TusResumable });
const Checksum = z
  .string()
  .optional()
  .describe(
    'md5, sha1 or sha256, a space, and the digest of this body in Base64; verified before the bytes count',
  );
const Concat = z.string().optional().describe('`partial`, or `final;` and the URLs of the slices, in order');
const CreationHeaders = TusVersion.extend({
  'Upload-Checksum': Checksum,
  'Upload-Concat': Concat,
  'Upload-Length': Bytes.optional().describe('Size of the file in bytes; or Upload-Defer-Length'),
  'Upload-Defer-Length': z.literal('1').optional(),
  'Upload-Metadata': z
    .string()
    .optional()
    .describe(
      'Pairs of key and Base64 value: filename, filetype, relativePath, uploadId, clientId; without an upload also patientName, studyDate, modality, serviceLevel and more of the study',
    ),
});
const OffsetHeaders = TusVersion.extend({ 'Upload-Offset': Bytes });
const FileBytes = z.string().meta({ format: 'binary' });
const OFFSET_STREAM = 'application/offset+octet-stream';

/** What a bearer token can be refused for; FORBIDDEN is for API tokens. */
const BEARER_PROBLEMS: ProblemCode[] = ['UNAUTHENTICATED', 'INVALID_TOKEN', 'FORBIDDEN'];

/** Every call that is served. */
export const OPERATIONS: Operation[] = [
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
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/api/v1/targets',
    tag: 'Uploads',
    summary:
      'The PACS among which a sender may choose, empty where the operator decides; for administrators all of them as well',
    secured: true,
    answers: { 200: { description: 'The PACS', schema: TargetListSchema } },
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/api/v1/admin/system',
    tag: 'Administration',
    summary: 'Each PACS, the queues and what failed lately; administrators only',
    secured: true,
    answers: { 200: { description: 'The state of the system', schema: SystemStatusSchema } },
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'get',
    path: '/api/v1/me/tokens',
    tag: 'Accounts',
    summary: 'The API tokens of the account that can be used, newest first; not with an API token',
    secured: true,
    answers: { 200: { description: 'The tokens, without their secret', schema: ApiTokenListSchema } },
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'post',
    path: '/api/v1/me/tokens',
    tag: 'Accounts',
    summary: 'Make an API token; its text is shown in this answer only. Not with an API token',
    secured: true,
    body: CreateApiTokenRequestSchema,
    answers: { 201: { description: 'The token', schema: CreatedApiTokenSchema } },
    problems: [...BEARER_PROBLEMS, 'API_TOKEN_LIMIT', 'VALIDATION_FAILED'],
  },
  {
    method: 'delete',
    path: '/api/v1/me/tokens/{id}',
    tag: 'Accounts',
    summary: 'Revoke an API token; not with an API token',
    secured: true,
    params: Id,
    answers: { 204: { description: 'Revoked' } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads',
    tag: 'Uploads',
    summary: 'Announce a study; the answer carries the upload token and the tus endpoint',
    secured: true,
    body: CreateUploadRequestSchema,
    answers: { 201: { description: 'Ready to take files', schema: CreateUploadResponseSchema } },
    problems: [
      ...BEARER_PROBLEMS,
      'DUPLICATE_STUDY',
      'UPLOAD_TOO_LARGE',
      'VALIDATION_FAILED',
      'RATE_LIMITED',
    ],
  },
  {
    method: 'get',
    path: '/api/v1/uploads',
    tag: 'Uploads',
    summary: 'Own uploads, newest first; administrators see all, their API tokens do not',
    secured: true,
    query: UploadListQuerySchema,
    answers: { 200: { description: 'A page of uploads', schema: UploadListSchema } },
    problems: [...BEARER_PROBLEMS, 'VALIDATION_FAILED'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads/{id}',
    tag: 'Uploads',
    summary: 'One upload with its files, studies, delivery and timeline',
    secured: true,
    params: Id,
    answers: { 200: { description: 'The upload', schema: UploadDetailSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads/{id}/instances',
    tag: 'Uploads',
    summary:
      'The SOP instances of an upload, page by page; `?status=failed` is the complete list of what is missing',
    secured: true,
    params: Id,
    query: InstanceListQuerySchema,
    answers: { 200: { description: 'A page of instances', schema: InstanceListSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'VALIDATION_FAILED'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads/{id}/receipt',
    tag: 'Uploads',
    summary:
      'The receipt, once the PACS has confirmed everything: who, when, what, where and how verified, signed (JWS); the same one each time',
    secured: true,
    params: Id,
    answers: { 200: { description: 'The receipt and its signature', schema: SignedReceiptSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'RECEIPT_NOT_READY'],
  },
  {
    method: 'get',
    path: '/api/v1/uploads/{id}/receipt.pdf',
    tag: 'Uploads',
    summary: 'The receipt as a document, with the signed one attached to it',
    secured: true,
    params: Id,
    answers: {
      200: { description: 'The document', schema: FileBytes, mediaType: 'application/pdf' },
    },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'RECEIPT_NOT_READY'],
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
    problems: [
      'VALIDATION_FAILED',
      ...BEARER_PROBLEMS,
      'NOT_FOUND',
      'FILES_INCOMPLETE',
      'CHECKSUM_CONFLICT',
      'UPLOAD_NOT_OPEN',
    ],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/token',
    tag: 'Uploads',
    summary: 'A fresh upload token',
    secured: true,
    params: Id,
    answers: { 200: { description: 'The token', schema: UploadTokenResponseSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_NOT_OPEN'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/confirm',
    tag: 'Uploads',
    summary: 'Send an upload that waits for its sender (`waitingFor: "sender"`) as it is; idempotent',
    secured: true,
    params: Id,
    answers: { 202: { description: 'Accepted', schema: StatusAnswer } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/reopen',
    tag: 'Uploads',
    summary: 'Add files to an upload that waits for its sender; it is checked anew when they have arrived',
    secured: true,
    params: Id,
    body: ReopenUploadRequestSchema,
    answers: { 200: { description: 'Ready to take the further files', schema: CreateUploadResponseSchema } },
    problems: [
      ...BEARER_PROBLEMS,
      'NOT_FOUND',
      'UPLOAD_STATE_CONFLICT',
      'UPLOAD_TOO_LARGE',
      'VALIDATION_FAILED',
    ],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/retry',
    tag: 'Uploads',
    summary:
      'Try a failed upload again; one that was corrected is checked anew, also where it was rejected or waits for its sender',
    secured: true,
    params: Id,
    answers: { 202: { description: 'Accepted', schema: StatusAnswer } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT'],
  },
  {
    method: 'patch',
    path: '/api/v1/uploads/{id}',
    tag: 'Uploads',
    summary:
      'Correct what was announced, of an upload that failed, was rejected or waits for its sender; it takes effect with retry',
    secured: true,
    params: Id,
    body: CorrectUploadRequestSchema,
    answers: { 200: { description: 'The upload', schema: UploadDetailSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT', 'VALIDATION_FAILED'],
  },
  {
    method: 'post',
    path: '/api/v1/uploads/{id}/resend',
    tag: 'Uploads',
    summary:
      'Have delivered studies sent again, or any to another PACS, while the files are kept; for signed-in administrators',
    secured: true,
    params: Id,
    body: ResendRequestSchema,
    answers: { 202: { description: 'The deliveries that begin', schema: ResendResponseSchema } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT', 'VALIDATION_FAILED'],
  },
  {
    method: 'delete',
    path: '/api/v1/uploads/{id}',
    tag: 'Uploads',
    summary: 'Cancel: stop the transfer and remove the bytes; not once delivery has begun',
    secured: true,
    params: Id,
    answers: { 204: { description: 'Cancelled' } },
    problems: [...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_STATE_CONFLICT'],
  },
  {
    method: 'post',
    path: '/files',
    tag: 'tus',
    summary:
      'tus 1.0.0: create a file, with its first bytes if you like, a slice, or a file joined from slices (creation, creation-with-upload, concatenation)',
    secured: true,
    headers: CreationHeaders,
    body: FileBytes,
    bodyType: OFFSET_STREAM,
    answers: {
      201: {
        description: 'Created',
        headers: OffsetHeaders.extend({ Location: z.string(), 'Upload-Expires': z.string() }),
      },
    },
    problems: [
      'MALFORMED_REQUEST',
      'CHECKSUM_UNSUPPORTED',
      'TUS_VERSION_REQUIRED',
      'VALIDATION_FAILED',
      'CLIENT_ID_TAKEN',
      'FILES_INCOMPLETE',
      'FILE_LOCKED',
      'UNAVAILABLE',
      ...BEARER_PROBLEMS,
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
    headers: TusVersion,
    answers: {
      200: {
        description: 'What is safe',
        headers: OffsetHeaders.extend({
          'Upload-Length': Bytes.optional(),
          'Upload-Metadata': z.string().optional(),
          'Upload-Concat': Concat,
          'Upload-Expires': z.string(),
        }),
      },
    },
    problems: ['TUS_VERSION_REQUIRED', ...BEARER_PROBLEMS, 'NOT_FOUND', 'GONE', 'FILE_LOCKED', 'UNAVAILABLE'],
  },
  {
    method: 'patch',
    path: '/files/{fileId}',
    tag: 'tus',
    summary: 'tus 1.0.0: append bytes at the offset',
    secured: true,
    params: FileId,
    headers: OffsetHeaders.extend({ 'Upload-Checksum': Checksum }),
    body: FileBytes,
    bodyType: OFFSET_STREAM,
    answers: { 204: { description: 'Safe up to the offset', headers: OffsetHeaders } },
    problems: [
      'MALFORMED_REQUEST',
      'CHECKSUM_UNSUPPORTED',
      'CHECKSUM_MISMATCH',
      'TUS_VERSION_REQUIRED',
      'FILE_LOCKED',
      'UNAVAILABLE',
      ...BEARER_PROBLEMS,
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
    headers: TusVersion,
    answers: { 204: { description: 'Removed' } },
    problems: ['TUS_VERSION_REQUIRED', ...BEARER_PROBLEMS, 'NOT_FOUND', 'UPLOAD_NOT_OPEN'],
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
    problems: BEARER_PROBLEMS,
  },
  {
    method: 'options',
    path: '/files',
    tag: 'tus',
    summary: 'tus 1.0.0: what the endpoint can do',
    answers: {
      204: {
        description: 'Versions, extensions and the largest file',
        headers: z.object({
          'Tus-Version': z.string(),
          'Tus-Extension': z.string(),
          'Tus-Checksum-Algorithm': z.string(),
          'Tus-Max-Size': Bytes,
        }),
      },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/healthz',
    tag: 'Operation',
    summary: 'The process is alive',
    answers: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
    problems: [],
  },
  {
    method: 'get',
    path: '/readyz',
    tag: 'Operation',
    summary: 'Uploads can be taken; 503 with the same body when not',
    answers: {
      200: {
        description: 'Ready',
        schema: z.object({
          status: z.enum(['ready', 'not ready']),
          checks: z.object({
            database: z.boolean(),
            storage: z.boolean(),
            queue: z.boolean(),
            pacs: z.enum(['configured', 'not configured']),
          }),
        }),
      },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/metrics',
    tag: 'Operation',
    summary: 'Counters of this process for Prometheus, for bearers of METRICS_TOKEN; 404 where none is set',
    secured: true,
    answers: {
      200: {
        description: "Prometheus' text format",
        schema: z.string(),
        mediaType: 'text/plain; version=0.0.4',
      },
    },
    problems: ['UNAUTHENTICATED', 'INVALID_TOKEN', 'NOT_FOUND'],
  },
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    tag: 'Accounts',
    summary: 'Public keys of the access tokens and of receipts (RFC 7517)',
    answers: {
      200: {
        description: 'The keys',
        schema: z.object({ keys: z.array(z.looseObject({ kid: z.string() })) }),
      },
    },
    problems: [],
  },
];
