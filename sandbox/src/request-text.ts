import { HttpError } from './http-answers.js';

/** A request's body as text. Throws a 413 when it is longer than `maxBytes`. */
export async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
  }
  if (length > maxBytes) throw HttpError.tooLarge();
  return Buffer.concat(chunks).toString('utf8');
}
