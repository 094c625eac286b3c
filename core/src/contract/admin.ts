import { z } from 'zod';
import { CIRCUIT_STATES } from '../domain/circuit.js';
import { SERVICE_LEVELS, UPLOAD_STATUSES, UploadProblemSchema } from './uploads.js';

/** One PACS as all workers see it. */
export const PacsStatusSchema = z.object({
  key: z.string(),
  name: z.string(),
  /** Where studies go that no rule sends elsewhere. */
  isDefault: z.boolean(),
  /** `closed`: it takes studies; `open`: nothing is sent; `half_open`: it answers again and is tried with one study. */
  circuit: z.enum(CIRCUIT_STATES),
  /** Since when it takes nothing. */
  since: z.iso.datetime().nullable(),
  /** Why, for programs and for the operator. */
  kind: z.string().nullable(),
  reason: z.string().nullable(),
  /** When it was last asked whether it is there; null until then. */
  checkedAt: z.iso.datetime().nullable(),
  /** How long its answer took; null when there was none. */
  latencyMs: z.int().nullable(),
  /** Studies that wait for it, and that are on their way to it. */
  waiting: z.int(),
  running: z.int(),
});
export type PacsStatus = z.infer<typeof PacsStatusSchema>;

/** What an administrator looks at first. */
export const SystemStatusSchema = z.object({
  pacs: z.array(PacsStatusSchema),
  /** Studies whose PACS is not in the configuration (any more), by its key. */
  unknownTargets: z.array(z.object({ key: z.string(), waiting: z.int() })),
  /** Jobs in the queue, by queue; null while the queue cannot be asked. */
  queues: z.record(z.string(), z.int()).nullable(),
  /** The newest uploads that were rejected or could not be delivered. */
  failedUploads: z.array(
    z.object({
      id: z.string(),
      status: z.enum(UPLOAD_STATUSES),
      serviceLevel: z.enum(SERVICE_LEVELS),
      endedAt: z.iso.datetime().nullable(),
      problem: UploadProblemSchema.nullable(),
    }),
  ),
});
export type SystemStatus = z.infer<typeof SystemStatusSchema>;
