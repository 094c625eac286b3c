import { createHash } from 'node:crypto';
import http from 'node:http';

const MIB = 1024 * 1024;
/** One chunk, sent over and over: making bytes must not be what is measured. */
const CHUNK = Buffer.alloc(MIB, 'RelayPACS');

export interface Target {
  /** URL of the tus endpoint. */
  endpoint: string;
  /** Headers of every request. */
  headers: Record<string, string>;
  /** Send `Upload-Checksum` with every PATCH. */
  checksum: boolean;
}

export interface LoadResult {
  seconds: number;
  bytes: number;
  /** Milliseconds of each PATCH, ascending. */
  latencies: number[];
}

const CHUNK_SHA256 = createHash('sha256').update(CHUNK).digest('base64');
const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  chunks: number,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = chunks * MIB;
    const request = http.request(url, {
      agent,
      method,
      headers: { ...headers, 'content-length': String(length) },
    });
    request.on('error', reject);
    request.on('response', (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer));
    });
    let left = chunks;
    const write = () => {
      while (left > 0) {
        left -= 1;
        if (!request.write(CHUNK)) {
          request.once('drain', write);
          return;
        }
      }
      request.end();
    };
    write();
  });
}

async function create(target: Target, bytes: number): Promise<string> {
  const headers = { ...target.headers, 'tus-resumable': '1.0.0', 'upload-length': String(bytes) };
  const answer = await send(target.endpoint, 'POST', headers, 0);
  if (answer.statusCode !== 201) throw new Error(`POST was answered ${answer.statusCode}`);
  return new URL(String(answer.headers.location), target.endpoint).href;
}

/** Sends one file of `chunks` MiB, `perPatch` MiB a request. */
async function sendFile(
  target: Target,
  chunks: number,
  perPatch: number,
  latencies: number[],
): Promise<void> {
  const location = await create(target, chunks * MIB);
  for (let sent = 0; sent < chunks; sent += perPatch) {
    const headers = {
      ...target.headers,
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(sent * MIB),
      ...(target.checksum && perPatch === 1 ? { 'upload-checksum': `sha256 ${CHUNK_SHA256}` } : {}),
    };
    const begin = performance.now();
    const answer = await send(location, 'PATCH', headers, perPatch);
    latencies.push(performance.now() - begin);
    if (answer.statusCode !== 204) throw new Error(`PATCH was answered ${answer.statusCode}`);
  }
}

/** Sends `files` files at once, each of `chunks` MiB, `perPatch` MiB a request. */
export async function load(
  target: Target,
  files: number,
  chunks: number,
  perPatch: number,
): Promise<LoadResult> {
  const latencies: number[] = [];
  const begin = performance.now();
  await Promise.all(Array.from({ length: files }, () => sendFile(target, chunks, perPatch, latencies)));
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, bytes: files * chunks * MIB, latencies: latencies.sort((a, b) => a - b) };
}
