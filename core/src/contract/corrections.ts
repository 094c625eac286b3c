import { z } from 'zod';
import { DateSchema, line } from './primitives.js';
import { type CorrectableField, ModalitySchema } from './uploads.js';

/** What was announced, put right: only what is given changes; null takes an optional value back. */
export const CorrectUploadRequestSchema = z
  .strictObject({
    patientName: line(256),
    // A backslash parts the values of a DICOM element (PS3.5 §6.2, LO).
    patientId: line(64)
      .refine((id) => !id.includes('\\'), 'A patient ID cannot have a backslash')
      .nullable(),
    patientBirthDate: DateSchema.nullable(),
    patientSex: z.enum(['M', 'F', 'O']).nullable(),
    studyDate: DateSchema,
    studyDescription: line(256).nullable(),
    modality: ModalitySchema,
  } satisfies Record<CorrectableField, z.ZodType>)
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, 'Say what is to be corrected');
export type CorrectUploadRequest = z.infer<typeof CorrectUploadRequestSchema>;
