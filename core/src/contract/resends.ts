import { z } from 'zod';
import { plain } from './primitives.js';
import { UPLOAD_STATUSES } from './uploads.js';

/** What an administrator has sent again, or elsewhere. */
export const ResendRequestSchema = z.strictObject({
  /** One of `all` of `GET /api/v1/targets`; default: where it went before. */
  target: plain(32).optional(),
  /** One of the upload's `studies`; default: all that are delivered, or, where the upload is not, all that are not. */
  studyId: plain(64).optional(),
});
export type ResendRequest = z.infer<typeof ResendRequestSchema>;

export const ResendResponseSchema = z.object({
  id: z.string(),
  status: z.enum(UPLOAD_STATUSES),
  /** The deliveries that begin now; each stands in the upload's `studies`. */
  studies: z.array(z.object({ id: z.string(), target: z.string(), resendOf: z.string().nullable() })),
});
export type ResendResponse = z.infer<typeof ResendResponseSchema>;
