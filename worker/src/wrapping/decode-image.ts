import type { ImageProblemCode } from './image-problems.js';
import { ImageProblem, tooLargeImage } from './image-problems.js';
import { prepareJpeg } from './prepare-jpeg.js';
import { preparePng } from './prepare-png.js';
import type { ImageKind, PreparedImage } from './prepared-image.js';
import { MAX_IMAGE_FILE_BYTES } from './prepared-image.js';

export interface ImageTask {
  bytes: Uint8Array;
  kind: ImageKind;
}

/** A refusal as it crosses from one process to another, where errors lose their class. */
export interface ImageRefused {
  refused: { code: ImageProblemCode; message: string };
}

/** Makes a picture from outside ready for a DICOM object; to be run in a process of its own. */
export function decodeImage({ bytes, kind }: ImageTask): PreparedImage | ImageRefused {
  try {
    if (bytes.length > MAX_IMAGE_FILE_BYTES) throw tooLargeImage(`${MAX_IMAGE_FILE_BYTES / 1024 / 1024} MB`);
    return kind === 'jpeg' ? prepareJpeg(bytes) : preparePng(bytes);
  } catch (error) {
    if (!(error instanceof ImageProblem)) throw error;
    return { refused: { code: error.code, message: error.message } };
  }
}
