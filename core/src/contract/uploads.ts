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

/**
 * A file is `uploading` until its last byte is acknowledged; the worker then accepts or rejects it. `ignored` is what
 * nobody means to send: a viewer's program, a table of contents, a text beside the images.
 */
export const FILE_STATUSES = ['uploading', 'received', 'accepted', 'rejected', 'ignored'] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

export const STUDY_STATUSES = ['pending', 'delivering', 'delivered', 'failed'] as const;
export type StudyStatus = (typeof STUDY_STATUSES)[number];

/** `stored` and `warning`: the PACS said so; `verified`: it was asked again and has it. */
export const INSTANCE_STATUSES = ['pending', 'stored', 'warning', 'failed', 'verified'] as const;
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number];

/**
 * How it is proven that an instance arrived. `uids`: the PACS lists it. `bytes`: it also handed out its data set, which
 * is the one that was sent, byte for byte.
 */
export const VERIFICATION_LEVELS = ['uids', 'bytes'] as const;
export type VerificationLevel = (typeof VERIFICATION_LEVELS)[number];

/** What a file holds, told by its first bytes and never by its name. */
export const FILE_KINDS = ['dicom', 'archive', 'image', 'dicomdir', 'other'] as const;
export type FileKind = (typeof FILE_KINDS)[number];

/**
 * What the sender wants when the checks have doubts (images seem to be missing, the files name another patient):
 * `send` it as it is, with the doubts shown, or `ask` first and wait for the answer.
 */
export const DOUBT_POLICIES = ['send', 'ask'] as const;
export type DoubtPolicy = (typeof DOUBT_POLICIES)[number];

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
    /** One of the PACS that `GET /api/v1/targets` lists; default: what the operator's rules say. */
    target: plain(32).optional(),
    /** Default: what the operator has configured. */
    onDoubt: z.enum(DOUBT_POLICIES).optional(),
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
  target: plain(32).optional(),
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

/** How many more files will follow, and their bytes, when an upload that waits for its sender is opened again. */
export const ReopenUploadRequestSchema = z.strictObject({
  fileCount: z.int().min(1).max(100_000),
  totalBytes: z.int().min(0),
});
export type ReopenUploadRequest = z.infer<typeof ReopenUploadRequestSchema>;

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
  /** Go on although fewer files arrived than were announced; at least one must have. */
  sendIncomplete: z.boolean().optional(),
});
export type CompleteUploadRequest = z.infer<typeof CompleteUploadRequestSchema>;

/** What the sender has announced and may correct later. */
export const CORRECTABLE_FIELDS = [
  'patientName',
  'patientId',
  'patientBirthDate',
  'patientSex',
  'studyDate',
  'studyDescription',
  'modality',
] as const;
export type CorrectableField = (typeof CORRECTABLE_FIELDS)[number];

/**
 * What helps, for programs: `correct` the upload's `fields` (PATCH) and `retry`; `retry` alone; have the people who run
 * the PACS look first (`contact_pacs`), then `retry`; or send other files in a `new_upload`.
 */
export const REMEDIES = ['correct', 'retry', 'contact_pacs', 'new_upload'] as const;
export type Remedy = (typeof REMEDIES)[number];

/** Why something did not go on: a stable code, what happened in plain words, what to do about it. */
export const UploadProblemSchema = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  /** Left out where nothing is to be done, or where it is not known. */
  remedy: z.enum(REMEDIES).optional(),
  /** What is to be corrected, with `correct`. */
  fields: z.array(z.enum(CORRECTABLE_FIELDS)).optional(),
});
export type UploadProblem = z.infer<typeof UploadProblemSchema>;

/** Code of an image, a study and an upload that should not have gone, and of which something went early. */
export const FAULT_AFTER_EARLY_DELIVERY = 'FAULT_AFTER_EARLY_DELIVERY';

/** Code of an upload that was not finished in time, and of which something went, or may have gone, early. */
export const UPLOAD_EXPIRED_IN_PART = 'UPLOAD_EXPIRED_IN_PART';

/** Code of an upload that is `cancelled` because somebody closed it after it had failed; it says what the PACS has. */
export const CLOSED_AFTER_FAILURE = 'CLOSED_AFTER_FAILURE';

/**
 * A remark of the checks on one file. `note` is for programs: the image is right as it is, and nobody has to look at it.
 */
export const FindingSchema = z.object({
  code: z.string(),
  tier: z.enum(['reject', 'repair', 'warn', 'note']),
  message: z.string(),
});
export type FileFinding = z.infer<typeof FindingSchema>;

/** One thing found inside an archive that did not simply go on: refused, ignored, or with remarks. */
export const ArchiveEntrySchema = z.object({
  /** Path in the archive; `outer.zip/inner/IM1` for one in an archive within it. */
  path: z.string(),
  size: z.number().nullable(),
  kind: z.enum(FILE_KINDS),
  status: z.enum(['accepted', 'rejected', 'ignored']),
  problem: UploadProblemSchema.optional(),
  findings: z.array(FindingSchema),
});
export type ArchiveEntry = z.infer<typeof ArchiveEntrySchema>;

/** What an archive held. */
export const ArchiveContentsSchema = z.object({
  accepted: z.int(),
  rejected: z.int(),
  ignored: z.int(),
  /** Those that were refused first, then those with remarks, then those ignored; at most 500 of an upload. */
  entries: z.array(ArchiveEntrySchema),
});
export type ArchiveContents = z.infer<typeof ArchiveContentsSchema>;

/** A doubt about a whole upload or study, for a person to look at: a stable code and a sentence. */
export const WarningSchema = z.object({ code: z.string(), message: z.string() });
export type Warning = z.infer<typeof WarningSchema>;

export const UploadFileSchema = z.object({
  id: z.string(),
  filename: z.string(),
  relativePath: z.string().nullable(),
  size: z.number().nullable(),
  /** Bytes acknowledged. */
  offset: z.number(),
  status: z.enum(FILE_STATUSES),
  /** Null until the file was looked into. */
  kind: z.enum(FILE_KINDS).nullable(),
  problem: UploadProblemSchema.optional(),
  findings: z.array(FindingSchema),
  /** Of an archive that was opened. */
  contents: ArchiveContentsSchema.optional(),
});
export type UploadFile = z.infer<typeof UploadFileSchema>;

/** How many SOP instances stand where on their way into the PACS. */
export const InstanceCountsSchema = z.object({
  total: z.int(),
  /** The PACS answered that it stored them (verified ones included). */
  stored: z.int(),
  /** The PACS was asked again and holds them. */
  verified: z.int(),
  /** Of the verified: those whose data set was retrieved from the PACS and is the one that was sent. */
  verifiedBytes: z.int(),
  failed: z.int(),
  /** The PACS held the same bytes already, so they were not sent again. */
  alreadyThere: z.int(),
  /** Of the total: documents made of the clinical history, which are no images. */
  documents: z.int(),
});
export type InstanceCounts = z.infer<typeof InstanceCountsSchema>;

export const StudySchema = z.object({
  id: z.string(),
  studyInstanceUid: z.string(),
  /**
   * The entry of this list that this one repeats, because an administrator had the study sent again. Only those with
   * null count for the state of the upload.
   */
  resendOf: z.string().nullable(),
  /** Key of the PACS it goes to, and its name. */
  target: z.string(),
  targetName: z.string(),
  patientName: z.string().nullable(),
  patientId: z.string().nullable(),
  patientBirthDate: z.string().nullable(),
  patientSex: z.string().nullable(),
  studyDate: z.string().nullable(),
  studyDescription: z.string().nullable(),
  modalities: z.array(z.string()),
  seriesCount: z.int(),
  status: z.enum(STUDY_STATUSES),
  /**
   * Images of it are delivered while others may still arrive (`DELIVERY_EAGER`), or the upload ended before they did:
   * what the PACS has is not all of it, and `instances` counts what is known so far.
   */
  incomplete: z.boolean(),
  waitingFor: z.literal('pacs').nullable(),
  instances: InstanceCountsSchema,
  problem: UploadProblemSchema.nullable(),
  /** What seems to be missing, and what was sent before. */
  warnings: z.array(WarningSchema),
  deliveredAt: z.iso.datetime().nullable(),
});
export type Study = z.infer<typeof StudySchema>;

const TargetSchema = z.object({ key: z.string(), name: z.string() });

export const TargetListSchema = z.object({
  /** The PACS among which a sender may choose; empty where there is nothing to choose. */
  items: z.array(TargetSchema),
  /** Every PACS, for administrators only: they may send a study again to any of them. */
  all: z.array(TargetSchema).optional(),
});
export type TargetList = z.infer<typeof TargetListSchema>;

/** Whose an upload is. */
export const SenderSchema = z.object({
  username: z.string(),
  fullName: z.string().nullable(),
  facility: z.string().nullable(),
});
export type Sender = z.infer<typeof SenderSchema>;

export const UploadSummarySchema = z.object({
  id: z.string(),
  userId: z.string(),
  /** For signed-in administrators, who see other people's uploads; left out for everybody else. */
  sender: SenderSchema.optional(),
  status: z.enum(UPLOAD_STATUSES),
  /**
   * Set while the study is safe but something must happen first: `pacs` while the PACS is away, `sender` while a doubt
   * waits for the sender's answer (`confirm`, `reopen` or cancel).
   */
  waitingFor: z.enum(['pacs', 'sender']).nullable(),
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
  /** As announced. */
  fileCount: z.int(),
  totalBytes: z.number(),
  /** Files that have arrived completely, and their bytes. */
  filesReceived: z.int(),
  bytesReceived: z.number(),
  /** Files, and files in archives, that should have gone on and could not. */
  filesRejected: z.int(),
  /** Files, and files in archives, that nobody means to send. */
  filesIgnored: z.int(),
  instances: InstanceCountsSchema,
  /** Doubts about the upload and its studies; each stands in the details. Mere notices do not count. */
  warningCount: z.int(),
  problem: UploadProblemSchema.nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  receivedAt: z.iso.datetime().nullable(),
  deliveredAt: z.iso.datetime().nullable(),
  /** Since then nothing of the files is kept here, and nothing can be sent again. */
  bytesRemovedAt: z.iso.datetime().nullable(),
});
export type UploadSummary = z.infer<typeof UploadSummarySchema>;

const TIMELINE_EVENTS = `A status the upload came to, or what else happened, among it:
\`waiting_for_pacs\`: the PACS takes nothing and has not for some seconds, so the delivery waits by itself;
\`pacs_back\`: it takes images again, and the delivery goes on. Both come once for each outage and PACS. Others may be added.`;

export const UploadDetailSchema = UploadSummarySchema.extend({
  /** Doubts about the upload as a whole; those about a study stand with the study. */
  warnings: z.array(WarningSchema),
  files: z.array(UploadFileSchema),
  studies: z.array(StudySchema),
  timeline: z.array(
    z.object({
      at: z.iso.datetime(),
      event: z.string().meta({ description: TIMELINE_EVENTS }),
      /** Name of the PACS a study was sent to again, or waits for. */
      targetName: z.string().optional(),
      /** Set where somebody other than the sender did it. */
      by: z.literal('administrator').optional(),
    }),
  ),
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

/** Of `DELETE /api/v1/uploads/:id`. */
export const CancelQuerySchema = z.object({
  /** It is an upload that failed which is to be closed; without it such a one is left as it is. */
  status: z.literal('failed').optional(),
});

export const UploadListSchema = z.object({
  items: z.array(UploadSummarySchema),
  nextCursor: z.string().nullable(),
});
export type UploadList = z.infer<typeof UploadListSchema>;

/** One SOP instance on its way into the PACS. */
export const UploadInstanceSchema = z.object({
  id: z.string(),
  /** Id of the study it is delivered with; where a study was sent again, its instances stand here once for each time. */
  studyId: z.string(),
  sopInstanceUid: z.string(),
  seriesInstanceUid: z.string(),
  modality: z.string().nullable(),
  seriesNumber: z.int().nullable(),
  instanceNumber: z.int().nullable(),
  /** Of what is delivered: bytes, and SHA-256 in hexadecimal digits. */
  size: z.number(),
  sha256: z.string(),
  status: z.enum(INSTANCE_STATUSES),
  /** Null until it is verified. */
  verification: z.enum(VERIFICATION_LEVELS).nullable(),
  verifiedAt: z.iso.datetime().nullable(),
  /** The PACS held the same bytes already, so it was not sent. */
  alreadyThere: z.boolean(),
  /** Why it failed, or a remark on one that arrived. */
  problem: UploadProblemSchema.nullable(),
  /**
   * Since then it is no longer part of the upload, because what was entered was corrected. The PACS may have it, and it
   * has to be removed there; it counts nowhere, and its study may not be listed any more.
   */
  supersededAt: z.iso.datetime().nullable(),
});
export type UploadInstance = z.infer<typeof UploadInstanceSchema>;

export const InstanceListQuerySchema = PageQuerySchema.extend({
  status: z.enum(INSTANCE_STATUSES).optional(),
});

export const InstanceListSchema = z.object({
  items: z.array(UploadInstanceSchema),
  nextCursor: z.string().nullable(),
});
export type InstanceList = z.infer<typeof InstanceListSchema>;
