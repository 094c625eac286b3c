/** What to tell a person whose browser cannot decode the photo. */
export const HEIC_UNREADABLE =
  "This phone's photo format (HEIC) cannot be read by this browser. Set the camera to 'Most compatible' or choose JPEG.";

/** Safari draws nothing on a canvas with more pixels than this. */
const MOST_PIXELS = 4096 * 4096;
const JPEG_QUALITY = 0.92;

export interface ConvertedPhoto {
  file: File;
  width: number;
  height: number;
}

/**
 * Turns a HEIC photo into a JPEG with what the browser has. Decoding turns the pixels upright, so that the JPEG needs
 * no EXIF to be shown rightly; a photo larger than a canvas may be is made smaller.
 *
 * @returns undefined when the browser cannot decode it
 */
export async function jpegOfHeic(photo: File): Promise<ConvertedPhoto | undefined> {
  const decoded = await decode(photo);
  if (!decoded) return undefined;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (decoded.width * decoded.height)));
  const canvas = document.createElement('canvas');
  canvas.width = Math.floor(decoded.width * scale);
  canvas.height = Math.floor(decoded.height * scale);
  canvas.getContext('2d')?.drawImage(decoded.image, 0, 0, canvas.width, canvas.height);
  decoded.release();
  const jpeg = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, 'image/jpeg', JPEG_QUALITY);
  });
  const { width, height } = canvas;
  // The memory of a canvas is given back late, and a phone has little of it.
  canvas.width = 0;
  canvas.height = 0;
  // A canvas that could not be had yields another type, or nothing.
  if (jpeg?.type !== 'image/jpeg') return undefined;
  const name = `${photo.name.replace(/\.(heic|heif|hif|avif)$/i, '')}.jpg`;
  const { lastModified } = photo;
  return { file: new File([jpeg], name, { type: jpeg.type, lastModified }), width, height };
}

interface Decoded {
  image: CanvasImageSource;
  width: number;
  height: number;
  release(): void;
}

/** Safari decodes HEIC in an image element in all versions since 11, as a bitmap in later ones only. */
async function decode(photo: Blob): Promise<Decoded | undefined> {
  return (await decodeAsElement(photo)) ?? (await decodeAsBitmap(photo));
}

async function decodeAsElement(photo: Blob): Promise<Decoded | undefined> {
  const url = URL.createObjectURL(photo);
  const release = () => URL.revokeObjectURL(url);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    release();
    return undefined;
  }
  return { image, width: image.naturalWidth, height: image.naturalHeight, release };
}

async function decodeAsBitmap(photo: Blob): Promise<Decoded | undefined> {
  try {
    const image = await createImageBitmap(photo);
    return { image, width: image.width, height: image.height, release: () => image.close() };
  } catch {
    return undefined;
  }
}
