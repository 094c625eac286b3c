import type { IsolatedTasks } from '../isolation/isolated-tasks.js';
import { TaskOutOfMemory, TaskTimedOut } from '../isolation/isolated-tasks.js';
import type { ImageRefused, ImageTask } from './decode-image.js';
import { buildImageObject } from './image-object.js';
import type { ImageKind, PreparedImage } from './prepared-image.js';
import type { WrapContext } from './wrap-context.js';
import type { WrappedObject } from './wrapped-object.js';

/** Turning a photograph of 24 megapixels takes 10 s on an idle machine, and three times as long on a busy one. */
const IMAGE_TIMEOUT_MS = 90_000;

/**
 * Makes the DICOM file of a picture, which is read in a process of its own.
 *
 * @param bytes - the caller keeps to `MAX_IMAGE_FILE_BYTES`: more is refused, but only after it was copied
 * @param contextOf - photographs and other pictures have different modalities, so belong in different series
 * @returns why not, when it cannot become a DICOM object
 * @throws TaskFailed when the tasks were closed, or by a fault of ours
 */
export async function wrapImage(
  tasks: IsolatedTasks,
  bytes: Uint8Array,
  kind: ImageKind,
  contextOf: WrapContext | ((origin: PreparedImage['origin']) => WrapContext),
): Promise<WrappedObject | ImageRefused> {
  const image = await prepare(tasks, { bytes, kind });
  if ('refused' in image) return image;
  return buildImageObject(image, typeof contextOf === 'function' ? contextOf(image.origin) : contextOf);
}

async function prepare(tasks: IsolatedTasks, task: ImageTask): Promise<PreparedImage | ImageRefused> {
  try {
    return await tasks.run('image', task, IMAGE_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof TaskTimedOut || error instanceof TaskOutOfMemory)) throw error;
    const message =
      'This picture takes too much time or memory to read. Save a smaller copy of it and add that.';
    return { refused: { code: 'IMAGE_TOO_LARGE', message } };
  }
}
