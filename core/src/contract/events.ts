import { z } from 'zod';
import { UPLOAD_STATUSES } from './uploads.js';

/**
 * "Something about this upload changed": a hint to look again, never the record itself. It names no patient,
 * because it travels through NOTIFY or Redis.
 */
export const UploadEventSchema = z.object({
  type: z.literal('upload'),
  uploadId: z.string(),
  /** The upload's owner: the only account besides admins whose browsers are told. */
  userId: z.string(),
  status: z.enum(UPLOAD_STATUSES),
});
export type UploadEvent = z.infer<typeof UploadEventSchema>;

/** Everything that goes over the event bus. */
export type RelayEvent = UploadEvent;
export const RelayEventSchema = UploadEventSchema;
