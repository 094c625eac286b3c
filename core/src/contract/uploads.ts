import { z } from 'zod';
import { DateSchema, line, PageQuerySchema, plain, text, UidSchema } from './primitives.js';

export const SERVICE_LEVELS = ['routine', 'emergency', 'stat'] as const;
export type ServiceLevel = (typeof SERVICE_LEVELS)[number];

/** `created → uploading → received → processing → delivering → delivered`, and the ways off that path. */
export const UPLOAD_STATUSES = [
  'created',
  'uploading',
  'received',
  'processing',
  'delivering',
  'delivered',
  'rejected',
  'failed',
  'expired',
  'cancelled',
] as const;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];

/** A file is `uploading` until its last byte is acknowledged; the worker then accepts or rejects it. */
export const FILE_STATUSES = ['uploading', 'received', 'accepted', 'rejected'] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

export const STUDY_STATUSES = ['pending', 'delivering', 'delivered', 'failed'] as const;
export type StudyStatus = (typeof STUDY_STATUSES)[number];

/** `stored` and `warning`: the PACS said so; `verified`: it was asked again and has it. */
export const INSTANCE_STATUSES = ['pending', 'stored', 'warning', 'failed', 'verified'] as const;
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number];

/** DICOM modality code string (PS3.3 C.7.3.1.1.1): upper case letters, digits, underscore. */
export const ModalitySchema = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z0-9_]{1,16}$/, 'A DICOM modality such as CT, MR, US or DX is needed');

export const CreateUploadRequestSchema = z
  .strictObject({
    patientName: line(256),
    studyDate: DateSchema,
    modality: ModalitySchema,
    serviceLevel: z.enum(SERVICE_LEVELS),
    /** Number of tus uploads that will follow. */
    fileCount: z.int().min(1).max(100_000),
    /** Sum of their sizes in bytes. */
    totalBytes: z.int().min(0),
    patientId: line(64).optional(),
    patientBirthDate: DateSchema.optional(),
    patientSex: z.enum(['M', 'F', 'O']).optional(),
    studyDescription: line(256).optional(),
    clinicalHistory: text(10_000).optional(),
    studyInstanceUid: UidSchema.optional(),
    forceUpload: z.boolean().optional(),
    force_upload: z.boolean().optional(),
  })
  .transform(({ force_upload, ...rest }) => ({
    ...rest,
    forceUpload: rest.forceUpload ?? force_upload ?? false,
  }));
/** What a client sends. */
export type CreateUploadRequest = z.input<typeof CreateUploadRequestSchema>;
/** What the server reads from it. */
export type UploadAnnouncement = z.output<typeof CreateUploadRequestSchema>;

/** Stands for the patient's name until the files have told it. */
export const UNNAMED_PATIENT = 'Unknown';

/**
 * What `Upload-Metadata` may say of a file that any tus client sends without announcing an upload. The file's own
 * headers tell the rest, so everything is optional.
 */
export const ImplicitUploadSchema = z.object({
  patientName: line(256).default(UNNAMED_PATIENT),
  studyDate: DateSchema.optional(),
  modality: ModalitySchema.default('OT'),
  serviceLevel: z.enum(SERVICE_LEVELS).default('routine'),
  patientId: line(64).optional(),
  patientBirthDate: DateSchema.optional(),
  patientSex: z.enum(['M', 'F', 'O']).optional(),
  studyDescription: line(256).optional(),
  clinicalHistory: text(10_000).optional(),
});

export const CreateUploadResponseSchema = z.object({
  id: z.string(),
  status: z.enum(UPLOAD_STATUSES),
  uploadToken: z.string(),
  /** Absolute URL of the tus endpoint. */
  tusEndpoint: z.string(),
  expiresAt: z.iso.datetime(),
  /** Bytes of a PATCH the server advises. */
  chunkSize: z.int(),
  /** Bytes of a PATCH the server takes at most. */
  maxChunkSize: z.int(),
  /** Digest to announce with `complete`. */
  checksumAlgorithm: z.string(),
});
export type CreateUploadResponse = z.infer<typeof CreateUploadResponseSchema>;

export const UploadTokenResponseSchema = z.object({ uploadToken: z.string(), expiresAt: z.iso.datetime() });
export type UploadTokenResponse = z.infer<typeof UploadTokenResponseSchema>;

const hex = (bytes: number) =>
  z
    .string()
    .toLowerCase()
    .regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `${bytes * 2} hexadecimal digits are needed`);

export const CompleteUploadRequestSchema = z.strictObject({
  files: z
    .array(
      z.strictObject({
        id: plain(64),
        size: z.int().min(0),
        md5: hex(16).optional(),
        sha256: hex(32).optional(),
      }),
    )
    .max(100_000)
    .optional(),
});
export type CompleteUploadRequest = z.infer<typeof CompleteUploadRequestSchema>;

/** Why something did not go on: a stable code, what happened in plain words, what to do about it. */
export const UploadProblemSchema = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
});
export type UploadProblem = z.infer<typeof UploadProblemSchema>;

/** A remark of the checks on one file that did not stop it. */
export const FindingSchema = z.object({
  code: z.string(),
  tier: z.enum(['reject', 'repair', 'warn']),
  message: z.string(),
});
export type FileFinding = z.infer<typeof FindingSchema>;

export const UploadFileSchema = z.object({
  id: z.string(),
  filename: z.string(),
  relativePath: z.string().nullable(),
  size: z.number().nullable(),
  /** Bytes acknowledged. */
  offset: z.number(),
  status: z.enum(FILE_STATUSES),
  problem: UploadProblemSchema.optional(),
  findings: z.array(FindingSchema),
});
export type UploadFile = z.infer<typeof UploadFileSchema>;

/** How many SOP instances stand where on their way into the PACS. */
export const InstanceCountsSchema = z.object({
  total: z.int(),
  /** The PACS answered that it stored them (verified ones included). */
  stored: z.int(),
  /** The PACS was asked again and holds them. */
  verified: z.int(),
  failed: z.int(),
});
export type InstanceCounts = z.infer<typeof InstanceCountsSchema>;

export const StudySchema = z.object({
  id: z.string(),
  studyInstanceUid: z.string(),
  patientName: z.string().nullable(),
  patientId: z.string().nullable(),
  patientBirthDate: z.string().nullable(),
  patientSex: z.string().nullable(),
  studyDate: z.string().nullable(),
  studyDescription: z.string().nullable(),
  modalities: z.array(z.string()),
  seriesCount: z.int(),
  status: z.enum(STUDY_STATUSES),
  waitingFor: z.literal('pacs').nullable(),
  instances: InstanceCountsSchema,
  problem: UploadProblemSchema.nullable(),
  deliveredAt: z.iso.datetime().nullable(),
});
export type Study = z.infer<typeof StudySchema>;

export const UploadSummarySchema = z.object({
  id: z.string(),
  userId: z.string(),
  status: z.enum(UPLOAD_STATUSES),
  /** Set while nothing is wrong but something else must come back first; the study is safe and queued. */
  waitingFor: z.literal('pacs').nullable(),
  serviceLevel: z.enum(SERVICE_LEVELS),
  patientName: z.string(),
  patientId: z.string().nullable(),
  patientBirthDate: z.string().nullable(),
  patientSex: z.string().nullable(),
  studyDate: z.string(),
  modality: z.string(),
  /** As announced; what was found in the files stands in `studies`. */
  studyInstanceUid: z.string().nullable(),
  studyDescription: z.string().nullable(),
  clinicalHistory: z.string().nullable(),
  fileCount: z.int(),
  totalBytes: z.number(),
  filesReceived: z.int(),
  filesRejected: z.int(),
  instances: InstanceCountsSchema,
  problem: UploadProblemSchema.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  receivedAt: z.iso.datetime().nullable(),
  deliveredAt: z.iso.datetime().nullable(),
});
export type UploadSummary = z.infer<typeof UploadSummarySchema>;

export const UploadDetailSchema = UploadSummarySchema.extend({
  files: z.array(UploadFileSchema),
  studies: z.array(StudySchema),
  timeline: z.array(z.object({ at: z.iso.datetime(), event: z.string() })),
});
export type UploadDetail = z.infer<typeof UploadDetailSchema>;

export const UploadListQuerySchema = PageQuerySchema.extend({
  status: z.enum(UPLOAD_STATUSES).optional(),
  serviceLevel: z.enum(SERVICE_LEVELS).optional(),
  modality: ModalitySchema.optional(),
  from: DateSchema.optional(),
  to: DateSchema.optional(),
  q: plain(200).optional(),
  userId: plain(64).optional(),
});
export type UploadListQuery = z.infer<typeof UploadListQuerySchema>;

export const UploadListSchema = z.object({
  items: z.array(UploadSummarySchema),
  nextCursor: z.string().nullable(),
});
export type UploadList = z.infer<typeof UploadListSchema>;
