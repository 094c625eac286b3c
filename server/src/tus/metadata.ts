import { ImplicitUploadSchema } from '@relaypacs/core/contract/uploads.js';
import { Metadata } from '@tus/utils';
import type { z } from 'zod';
import { HttpProblem, invalidFields } from '../http/http-problem.js';
import { parse } from '../http/validate.js';

/** The keys of `Upload-Metadata` that speak of the file. */
export interface FileMetadata {
  uploadId: string | undefined;
  filename: string;
  filetype: string | undefined;
  /** Where the file lay in the sender's folder; a description, never used as a path. */
  relativePath: string | undefined;
  /** Chosen by the client, so that a creation sent twice makes one file. */
  clientId: string | undefined;
}

const LIMITS = { uploadId: 64, filename: 512, filetype: 256, relativePath: 2048, clientId: 128 } as const;

/** The pairs of the `Upload-Metadata` header. */
function readPairs(header: string | undefined): Record<string, string | null> {
  try {
    return header === undefined || header === '' ? {} : Metadata.parse(header);
  } catch {
    throw new HttpProblem(
      'MALFORMED_REQUEST',
      'Upload-Metadata must be pairs of a key and a Base64 value, separated by commas. No file was created.',
    );
  }
}

/**
 * Reads what the `Upload-Metadata` header says of the file.
 *
 * @throws HttpProblem MALFORMED_REQUEST when it is not metadata (tus, Creation), VALIDATION_FAILED naming a bad value
 */
export function readFileMetadata(header: string | undefined): FileMetadata {
  const values = readPairs(header);
  const read = (key: keyof typeof LIMITS) => {
    const value = values[key];
    if (value === undefined || value === null || value === '') return undefined;
    // PostgreSQL cannot hold NUL in text, and no honest name has control characters.
    if (/\p{Cc}/u.test(value) || value.length > LIMITS[key]) {
      const message = `Must be at most ${LIMITS[key]} characters without control characters`;
      throw invalidFields([{ path: `Upload-Metadata.${key}`, message }]);
    }
    return value;
  };
  return {
    uploadId: read('uploadId'),
    filename: read('filename') ?? 'unnamed',
    filetype: read('filetype'),
    relativePath: read('relativePath'),
    clientId: read('clientId'),
  };
}

/**
 * Reads what the `Upload-Metadata` header says of the study, for a file that belongs to no announced upload.
 *
 * @throws HttpProblem VALIDATION_FAILED naming each bad value
 */
export function readStudyMetadata(header: string | undefined): z.output<typeof ImplicitUploadSchema> {
  const given = Object.entries(readPairs(header)).filter(([, value]) => value !== null && value !== '');
  return parse(ImplicitUploadSchema, Object.fromEntries(given), ['Upload-Metadata']);
}
