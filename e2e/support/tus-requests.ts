import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.js';

export const BYTES = { 'content-type': 'application/offset+octet-stream' };

/** The `Upload-Metadata` header with these values. */
export function uploadMetadata(values: Record<string, string>): Record<string, string> {
  const pairs = Object.entries(values).map(
    ([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`,
  );
  return { 'upload-metadata': pairs.join(',') };
}

/** A file under way, as its client knows it. */
export interface SentFile {
  url: string;
  id: string;
  token: string;
}

export interface TusAnswer {
  status: number;
  headers: Headers;
  /** `Upload-Offset`; NaN when there is none. */
  offset: number;
  /** The problem document. */
  body: Record<string, unknown>;
  ms: number;
}

export async function tusRequest(
  method: string,
  url: string,
  token: string,
  headers: Record<string, string> = {},
  body?: Uint8Array,
): Promise<TusAnswer> {
  const begun = performance.now();
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', ...headers },
    ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    offset: Number(answer.headers.get('upload-offset') ?? Number.NaN),
    body: text === '' ? {} : JSON.parse(text),
    ms: performance.now() - begun,
  };
}

/** tus creation; with `Content-Type` among the headers, of a file and its first bytes. */
export async function create(
  baseUrl: string,
  token: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<TusAnswer & { file: SentFile }> {
  const answer = await tusRequest('POST', `${baseUrl}/files`, token, headers, body);
  const url = answer.headers.get('location') ?? '';
  return { ...answer, file: { url, id: url.split('/').at(-1) ?? '', token } };
}

/** Announces an upload of one file and creates it, without bytes. */
export async function beginFile(client: ApiClient, size: number): Promise<SentFile & { uploadId: string }> {
  const upload = await client.announce({ totalBytes: size });
  const made = await create(client.baseUrl, upload.uploadToken, { 'upload-length': String(size) });
  if (made.status !== 201) throw new Error(`Not created: ${JSON.stringify(made.body)}`);
  return { ...made.file, uploadId: upload.id };
}

export function patch(
  { url, token }: SentFile,
  offset: number,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<TusAnswer> {
  return tusRequest('PATCH', url, token, { ...BYTES, 'upload-offset': String(offset), ...headers }, body);
}

export function head({ url, token }: SentFile): Promise<TusAnswer> {
  return tusRequest('HEAD', url, token);
}

/** Sends the rest, however often it takes: what a client does that does not give up. Resolves with the offset reached. */
export async function sendRest(file: SentFile, content: Buffer, withinMs = 60_000): Promise<number> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await head(file).catch(() => undefined);
    if (seen?.status === 200 && seen.offset === content.length) return seen.offset;
    if (seen?.status === 200) {
      const sent = await patch(file, seen.offset, content.subarray(seen.offset)).catch(() => undefined);
      if (sent?.status === 204) return sent.offset;
      if (sent && ![423, 503].includes(sent.status)) throw new Error(`PATCH was answered ${sent.status}`);
    } else if (seen && ![423, 503].includes(seen.status)) throw new Error(`HEAD was answered ${seen.status}`);
    if (performance.now() > deadline) throw new Error(`The file was not taken within ${withinMs} ms`);
    await sleep(50);
  }
}

const TCP_TABLE = '/proc/net/tcp';
/** Where the table cannot be read: long enough on a machine that is not busy. */
const ARRIVED_MS = 100;

/**
 * Waits until the other end on this machine has read everything that was written: neither end of the connection has
 * bytes in a queue (proc(5), /proc/net/tcp). Node reads up to 64 KiB of a body ahead: only of one that is longer does it
 * mean that the request has its file.
 */
export async function arrived({ localPort = 0 }: net.Socket): Promise<void> {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  // Local and remote address, state, then both queues.
  const queues = new RegExp(`^.*?:${port} .*$`, 'gm');
  const deadline = performance.now() + 10_000;
  for (;;) {
    const table = await readFile(TCP_TABLE, 'latin1').catch(() => undefined);
    if (table === undefined) return sleep(ARRIVED_MS);
    const ends = table.match(queues) ?? [];
    if (ends.every((end) => end.includes(' 00000000:00000000 '))) return;
    if (performance.now() > deadline) throw new Error('What was written was not read within 10 s');
    await sleep(10);
  }
}

/** A PATCH of which the test decides when which bytes leave, and when the connection ends. */
export class RawPatch {
  readonly socket: net.Socket;
  private readonly chunked: boolean;
  private received = '';

  /** @param length - of the body in bytes; undefined sends it in chunks (RFC 9112 §7.1) */
  constructor(
    file: SentFile,
    offset: number,
    length: number | undefined,
    headers: Record<string, string> = {},
  ) {
    const { port, host, pathname } = new URL(file.url);
    this.chunked = length === undefined;
    this.socket = net.connect(Number(port), '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => {
      this.received += data.toString('latin1');
    });
    const lines = Object.entries({
      host,
      authorization: `Bearer ${file.token}`,
      'tus-resumable': '1.0.0',
      ...BYTES,
      'upload-offset': String(offset),
      ...(length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(length) }),
      ...headers,
    });
    this.socket.write(
      `PATCH ${pathname} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`,
    );
  }

  /** Resolves when the bytes are on their way; never fails. */
  write(bytes: Uint8Array): Promise<void> {
    const framed = this.chunked
      ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
      : bytes;
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(framed, () => resolve());
    });
  }

  /** Ends a body that is sent in chunks. */
  finish(): void {
    this.socket.write('0\r\n\r\n');
  }

  /** What has come back so far; status and offset are NaN while there is no answer. */
  get answer(): { status: number; offset: number; closes: boolean; code: string | undefined } {
    return {
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(this.received)?.[1]),
      offset: Number(/^upload-offset: (\d+)/im.exec(this.received)?.[1]),
      closes: /^connection: close/im.test(this.received),
      code: /"code":"(\w+)"/.exec(this.received)?.[1],
    };
  }

  drop(): void {
    this.socket.destroy();
  }
}
