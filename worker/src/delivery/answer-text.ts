import type { IncomingMessage } from 'node:http';
import { PacsUnavailable } from './pacs-unavailable.js';

/**
 * The body of an answer as text.
 *
 * @param mostBytes - more than any answer to the question can have
 * @throws PacsUnavailable when there is more
 */
export async function readText(response: IncomingMessage, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) {
      throw new PacsUnavailable(
        'misconfigured',
        'The answer is larger than any answer to this question can be',
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
