import { z } from 'zod';
import { BEARER_PROBLEMS, type Operation } from './operation.js';

const FileId = z.object({ fileId: z.string() });
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

/** The transfer of files by tus. */
export const TUS_OPERATIONS: Operation[] = [
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
];
