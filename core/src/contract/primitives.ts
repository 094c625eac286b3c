import { z } from 'zod';

/** DICOM UID: digits and dots, no component with a leading zero, at most 64 characters (PS3.5 §9.1). */
export const UidSchema = z
  .string()
  .max(64)
  .regex(/^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$/, 'A DICOM UID holds digits and single dots only');

/** A calendar date `YYYY-MM-DD` that exists; a year below 1000 is a slip of the hand, and year 0 no date at all. */
export const DateSchema = z.iso
  .date('A date in the form YYYY-MM-DD is needed')
  .refine((value) => value >= '1000', 'The year must have four digits and not begin with 0');

// C0 and C1 control characters have no place in a name; they would end up in DICOM headers and logs.
const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_NEWLINES = /[^\P{Cc}\n\r\t]/u;

/** Text of up to `max` characters without control characters: PostgreSQL cannot hold U+0000 (it answers 22021). */
export function plain(max: number) {
  return z
    .string()
    .trim()
    .max(max, `At most ${max} characters`)
    .refine((value) => !CONTROL.test(value), 'Control characters are not allowed');
}

/** One line of text without control characters, trimmed, 1 to `max` characters. */
export function line(max: number) {
  return plain(max).min(1, 'This field is needed');
}

/** Text of several lines, trimmed, up to `max` characters. */
export function text(max: number) {
  return z
    .string()
    .trim()
    .max(max, `At most ${max} characters`)
    .refine((value) => !CONTROL_BUT_NEWLINES.test(value), 'Control characters are not allowed');
}

/** `?limit=` and `?cursor=` of every list. */
export const PageQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(25),
  cursor: plain(200).optional(),
});
