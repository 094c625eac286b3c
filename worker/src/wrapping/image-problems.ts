export type ImageProblemCode = 'IMAGE_DAMAGED' | 'IMAGE_TOO_LARGE' | 'IMAGE_UNSUPPORTED';

/** A picture that cannot become a DICOM object. The message is for the person who sent it, and says what to do. */
export class ImageProblem extends Error {
  override name = 'ImageProblem';
  readonly code: ImageProblemCode;

  constructor(code: ImageProblemCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const damagedImage = () =>
  new ImageProblem(
    'IMAGE_DAMAGED',
    'This picture is damaged or incomplete. Check that it opens on your device, save it again as JPEG or PNG, and add the new file.',
  );

/** @param limit - what it exceeds, with its unit: `100 megapixels` */
export const tooLargeImage = (limit: string) =>
  new ImageProblem(
    'IMAGE_TOO_LARGE',
    `This picture is larger than ${limit}. Save a smaller copy of it and add that.`,
  );

/** @param what - what is out of the ordinary, as a subject: `A JPEG with 12-bit colour` */
export const unsupportedImage = (what: string) =>
  new ImageProblem(
    'IMAGE_UNSUPPORTED',
    `${what} cannot be taken in. Open the picture, save it as an ordinary JPEG or PNG, and add the new file.`,
  );
