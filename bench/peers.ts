import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface BareServer {
  url: string;
  close(): Promise<void>;
}

/** The peer of the transfer: the least a Node server can do, which is to write each body to a file. */
export async function startBareServer(): Promise<BareServer> {
  const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
  let files = 0;
  const server = http.createServer((req, res) => {
    files += 1;
    pipeline(req, createWriteStream(path.join(dir, String(files)))).then(
      () => res.writeHead(201).end(),
      () => res.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Sends each file as one POST, `lanes` at once. */
export async function postEach(url: string, files: readonly Uint8Array[], lanes = 6): Promise<void> {
  const waiting = files.values();
  const lane = async () => {
    for (const file of waiting) {
      const answer = await fetch(url, { method: 'POST', body: file as Uint8Array<ArrayBuffer> });
      await answer.arrayBuffer();
      if (answer.status !== 201) throw new Error(`The peer answered ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** The peer of the delivery: a plain loop of STOW-RS requests of `perRequest` objects each, nothing checked. */
export async function stowLoop(root: string, files: readonly Uint8Array[], perRequest = 20): Promise<void> {
  const boundary = 'relaypacs-bench';
  const encoder = new TextEncoder();
  for (let from = 0; from < files.length; from += perRequest) {
    const parts = files
      .slice(from, from + perRequest)
      .flatMap((file) => [
        encoder.encode(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
        file,
        encoder.encode('\r\n'),
      ]);
    const body = Buffer.concat([...parts, encoder.encode(`--${boundary}--\r\n`)]);
    const answer = await fetch(`${root}/studies`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/related; type="application/dicom"; boundary=${boundary}`,
        accept: 'application/dicom+json',
      },
      body,
    });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`The PACS answered ${answer.status}`);
  }
}
