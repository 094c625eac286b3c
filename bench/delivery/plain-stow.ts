import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import http from 'node:http';
import type { Orthanc } from '../../e2e/support/orthanc.js';

/** Requests of `perRequest` objects each, `atOnce` of them side by side. */
export interface StowShape {
  perRequest: number;
  atOnce: number;
}

const BOUNDARY = 'relaypacs-bench';
const HEAD = Buffer.from(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`);
const TAIL = Buffer.from('\r\n');
const END = Buffer.from(`--${BOUNDARY}--\r\n`);

/** The peer of the STOW-RS part: files from the disk to the PACS, nothing checked, recorded or asked. */
export async function plainStow(orthanc: Orthanc, files: readonly string[], shape: StowShape): Promise<void> {
  const requests: string[][] = [];
  for (let from = 0; from < files.length; from += shape.perRequest) {
    requests.push(files.slice(from, from + shape.perRequest));
  }
  const agent = new http.Agent({ keepAlive: true, timeout: 500 });
  const waiting = requests.values();
  const lane = async () => {
    for (const batch of waiting) await store(orthanc, agent, batch);
  };
  await Promise.all(Array.from({ length: shape.atOnce }, lane));
  agent.destroy();
}

async function store(orthanc: Orthanc, agent: http.Agent, files: readonly string[]): Promise<void> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const framing = files.length * (HEAD.length + TAIL.length) + END.length;
  const request = http.request(`${orthanc.url}/studies`, {
    agent,
    method: 'POST',
    auth: `${orthanc.username}:${orthanc.password}`,
    headers: {
      'content-type': `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`,
      accept: 'application/dicom+json',
      'content-length': sizes.reduce((sum, size) => sum + size, framing),
    },
  });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  for (const file of files) {
    request.write(HEAD);
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) {
      if (!request.write(chunk)) await once(request, 'drain');
    }
    request.write(TAIL);
  }
  request.end(END);
  const [answer] = await answered;
  answer.resume();
  await once(answer, 'end');
  if (answer.statusCode !== 200) throw new Error(`The PACS answered ${answer.statusCode}`);
}
