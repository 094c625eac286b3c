import { BYTES, create, type SentFile, type TusAnswer } from './tus-requests.js';

export const PARTIAL = { 'upload-concat': 'partial' };

/** Cuts bytes into so many slices of nearly the same length. */
export function cut(content: Buffer, count: number): Buffer[] {
  const at = (index: number) => Math.floor((content.length * index) / count);
  return Array.from({ length: count }, (_, i) => content.subarray(at(i), at(i + 1)));
}

/** Sends a slice whole, in one request. */
export async function sendSlice(baseUrl: string, token: string, bytes: Uint8Array): Promise<SentFile> {
  const headers = { ...PARTIAL, ...BYTES, 'upload-length': String(bytes.length) };
  const made = await create(baseUrl, token, headers, bytes);
  if (made.status !== 201 || made.offset !== bytes.length) {
    throw new Error(`Not sent: ${made.status} ${JSON.stringify(made.body)}`);
  }
  return made.file;
}

/** Asks for one file of the slices at these URLs. */
export function joinSlices(
  baseUrl: string,
  token: string,
  urls: readonly string[],
  headers: Record<string, string> = {},
): Promise<TusAnswer & { file: SentFile }> {
  return create(baseUrl, token, { 'upload-concat': `final;${urls.join(' ')}`, ...headers });
}
