import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox, type SandboxOptions } from '../app.js';
import type { Attributes } from '../dicom-json.js';
import type { Fault } from '../faults/fault.js';
import type { FaultReport } from '../faults/fault-board.js';

export interface TestPart {
  /** Header lines; a bare DICOM part when not given. */
  headers?: string[];
  bytes: Buffer;
}

export const BOUNDARY = 'test-boundary';
export const STOW_TYPE = `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`;

/** A multipart body of the parts; buffers are DICOM parts. */
export function multipartBody(parts: (Buffer | TestPart)[], boundary = BOUNDARY): Buffer {
  const pieces = parts.map((part) => {
    const { headers = ['Content-Type: application/dicom'], bytes } = Buffer.isBuffer(part)
      ? { bytes: part }
      : part;
    const head = `--${boundary}\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`;
    return Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n')]);
  });
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

export type TestSandboxOptions = Omit<SandboxOptions, 'dir' | 'port' | 'host'>;

export interface StowAnswer {
  status: number;
  headers: Headers;
  contentType: string | null;
  body: Attributes;
  stored: string[];
  /** SOP Instance UID → failure reason. */
  failed: Record<string, number>;
}

/** A sandbox in this process on a folder of its own, with the requests tests make. */
export class TestSandbox {
  readonly dir: string;
  readonly #options: TestSandboxOptions;
  #sandbox: Sandbox;

  private constructor(dir: string, options: TestSandboxOptions, sandbox: Sandbox) {
    this.dir = dir;
    this.#options = options;
    this.#sandbox = sandbox;
  }

  static async start(options: TestSandboxOptions = {}): Promise<TestSandbox> {
    const dir = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
    return new TestSandbox(dir, options, await createSandbox({ ...options, dir }));
  }

  get url(): string {
    return this.#sandbox.url;
  }

  get origin(): string {
    return this.#sandbox.origin;
  }

  get port(): number {
    return this.#sandbox.port;
  }

  /** Stops and starts again on the same folder. */
  async restart(): Promise<void> {
    await this.#sandbox.close();
    this.#sandbox = await createSandbox({ ...this.#options, dir: this.dir });
  }

  async stop(): Promise<void> {
    await this.#sandbox.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async stow(
    parts: (Buffer | TestPart)[],
    path = '/studies',
    headers: Record<string, string> = {},
  ): Promise<StowAnswer> {
    return this.stowBody(multipartBody(parts), STOW_TYPE, path, headers);
  }

  /** The bare answer, for those that are not DICOM JSON. */
  post(parts: (Buffer | TestPart)[], headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/studies`, {
      method: 'POST',
      headers: { 'Content-Type': STOW_TYPE, ...headers },
      body: new Uint8Array(multipartBody(parts)),
    });
  }

  async stowBody(
    body: Buffer,
    contentType = STOW_TYPE,
    path = '/studies',
    headers: Record<string, string> = {},
  ): Promise<StowAnswer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'Content-Type': contentType, ...headers },
      body,
    });
    const answer = (await response.json()) as Attributes;
    const uidsIn = (tag: string) => (answer[tag]?.Value ?? []) as Attributes[];
    return {
      status: response.status,
      headers: response.headers,
      contentType: response.headers.get('content-type'),
      body: answer,
      stored: uidsIn('00081199').map((item) => String(item['00081155']?.Value?.[0])),
      failed: Object.fromEntries(
        uidsIn('00081198').map((item) => [item['00081155']?.Value?.[0], item['00081197']?.Value?.[0]]),
      ) as Record<string, number>,
    };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.url + path, { headers });
  }

  async json(path: string): Promise<Attributes[]> {
    return (await (await this.get(path)).json()) as Attributes[];
  }

  /** Switches these faults on, in place of all others. */
  async putFaults(...faults: Partial<Fault>[]): Promise<void> {
    const response = await fetch(`${this.origin}/faults`, {
      method: 'PUT',
      body: JSON.stringify({ faults }),
    });
    if (response.status !== 200) throw new Error(await response.text());
  }

  async deleteFaults(): Promise<void> {
    await fetch(`${this.origin}/faults`, { method: 'DELETE' });
  }

  /** How often each of the faults has befallen a request. */
  async fired(): Promise<number[]> {
    const { faults } = (await (await fetch(`${this.origin}/faults`)).json()) as { faults: FaultReport[] };
    return faults.map(({ fired }) => fired);
  }

  async statistics() {
    return (await (await fetch(`${this.origin}/statistics`)).json()) as {
      requests: Record<string, number>;
      instances: Record<string, number>;
    };
  }

  /** SOP Instance UIDs a search finds. */
  async found(): Promise<string[]> {
    const uids: string[] = [];
    for (;;) {
      const response = await this.get(`/instances?limit=100&offset=${uids.length}`);
      const page = response.status === 204 ? [] : ((await response.json()) as Attributes[]);
      if (page.length === 0) return uids;
      uids.push(...page.map((each) => String(each['00080018']?.Value?.[0])));
    }
  }

  /** Files in the archive's folder, by the folder they are in. */
  async files(folder: 'incoming' | 'instances'): Promise<string[]> {
    const entries = await readdir(join(this.dir, folder), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }
}

/** The error code a request's connection ended with; fails when it was answered. */
export async function lostWith(request: Promise<unknown>): Promise<string> {
  try {
    await request;
  } catch (error) {
    return (error as { cause?: { code?: string } }).cause?.code ?? String(error);
  }
  throw new Error('The request was answered');
}

/** A client that writes a STOW request whose body has no end, whatever is answered. */
export class RelentlessClient {
  /** What was answered. */
  text = '';
  written = 0;
  closed = false;
  readonly #socket;

  constructor({ port }: { port: number }) {
    const head = `Host: x\r\nContent-Type: ${STOW_TYPE}\r\nContent-Length: ${Number.MAX_SAFE_INTEGER}`;
    this.#socket = createConnection(port, '127.0.0.1');
    const go = () => {
      const chunk = Buffer.alloc(1024 * 1024);
      do this.written += chunk.length;
      while (this.#socket.write(chunk));
    };
    this.#socket
      .on('error', () => undefined)
      .on('close', () => {
        this.closed = true;
      })
      .on('data', (data) => {
        this.text += data;
      })
      .on('drain', go);
    this.#socket.write(`POST /dicom-web/studies HTTP/1.1\r\n${head}\r\n\r\n`);
    go();
  }

  /** Whether it is stuck: the connection is open, but in so many milliseconds nothing was taken of what it writes. */
  async isStalled(ms = 400): Promise<boolean> {
    const before = this.written;
    await new Promise((resolve) => setTimeout(resolve, ms));
    return !this.closed && this.written === before;
  }

  stop(): void {
    this.#socket.destroy();
  }
}

/** The parts of a multipart answer. */
export async function partsOf(response: Response): Promise<Buffer[]> {
  const body = Buffer.from(await response.arrayBuffer());
  const boundary = /boundary=(\S+)/.exec(response.headers.get('content-type') ?? '')?.[1];
  const delimiter = Buffer.from(`--${boundary}`);
  const parts: Buffer[] = [];
  for (let at = body.indexOf(delimiter); at >= 0; ) {
    const next = body.indexOf(delimiter, at + delimiter.length);
    if (next < 0) break;
    const start = body.indexOf('\r\n\r\n', at) + 4;
    parts.push(body.subarray(start, next - 2));
    at = next;
  }
  return parts;
}
