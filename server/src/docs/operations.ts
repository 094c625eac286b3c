import { SessionSchema, UserSchema } from '@relaypacs/core/contract/accounts.js';
import { ApiTokenListSchema, CreatedApiTokenSchema } from '@relaypacs/core/contract/api-tokens.js';
import { UploadEventSchema } from '@relaypacs/core/contract/events.js';
import { ProblemSchema } from '@relaypacs/core/contract/problem.js';
import { SignedReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import {
  CreateUploadRequestSchema,
  CreateUploadResponseSchema,
  InstanceListSchema,
  UploadDetailSchema,
  UploadListSchema,
} from '@relaypacs/core/contract/uploads.js';
import type { z } from 'zod';
import { ACCOUNT_OPERATIONS } from './operations/accounts.js';
import { ADMINISTRATION_OPERATIONS } from './operations/administration.js';
import type { Operation } from './operations/operation.js';
import { TUS_OPERATIONS } from './operations/tus.js';
import { UPLOAD_OPERATIONS } from './operations/uploads.js';

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

/** Every call that is served. */
export const OPERATIONS: readonly Operation[] = [
  ...ACCOUNT_OPERATIONS,
  ...UPLOAD_OPERATIONS,
  ...TUS_OPERATIONS,
  ...ADMINISTRATION_OPERATIONS,
];
