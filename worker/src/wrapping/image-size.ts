import { damagedImage, tooLargeImage } from './image-problems.js';
import { MAX_IMAGE_EDGE, MAX_IMAGE_PIXELS } from './prepared-image.js';

/**
 * Judges a picture by the size it declares, before any memory is given to it.
 *
 * @throws ImageProblem
 */
export function checkSize({ rows, columns }: { rows: number; columns: number }): void {
  if (rows === 0 || columns === 0) throw damagedImage();
  if (rows > MAX_IMAGE_EDGE || columns > MAX_IMAGE_EDGE)
    throw tooLargeImage(`${MAX_IMAGE_EDGE} pixels on one side`);
  if (rows * columns > MAX_IMAGE_PIXELS) throw tooLargeImage(`${MAX_IMAGE_PIXELS / 1_000_000} megapixels`);
}
