import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ApiClient } from '../../e2e/support/api-client.js';
import type { Orthanc } from '../../e2e/support/orthanc.js';
import { pacsVariables } from '../../e2e/support/orthanc-contents.js';
import { type Stack, startStack } from '../../e2e/support/stack.js';
import type { MadeStudy } from './made-study.js';

/** Bytes of one request of a transfer. */
const CHUNK = 32 * 1024 * 1024;
const POLL_MS = 100;
const LIMIT_MS = 15 * 60_000;

export interface Delivery {
  /** Milliseconds of the system's clock: the last byte was acknowledged, the PACS has shown all instances. */
  received: number;
  delivered: number;
  /** The worker's requests to the PACS in between. */
  requests: PacsRequest[];
}

export interface PacsRequest {
  method: string;
  path: string;
  begin: number;
  end: number;
}

/** RelayPACS as it is deployed, and a client that sends it studies from the disk. */
export class RelayPacs {
  readonly stack: Stack;
  private readonly client: ApiClient;
  private readonly database: pg.Pool;
  private readonly requestLog: string;

  private constructor(stack: Stack, client: ApiClient, database: pg.Pool, requestLog: string) {
    this.stack = stack;
    this.client = client;
    this.database = database;
    this.requestLog = requestLog;
  }

  /**
   * @param pacs - where it delivers to; a later one on the same port takes its place
   * @param dir - for what is written down of the worker's requests
   */
  static async start(
    pacs: Pick<Orthanc, 'url' | 'username' | 'password'>,
    dir: string,
    env: Record<string, string> = {},
  ): Promise<RelayPacs> {
    const requestLog = path.join(dir, 'requests');
    const recorder = path.join(import.meta.dirname, 'request-recorder.cjs');
    const stack = await startStack({
      env: {
        ...pacsVariables(pacs),
        NODE_OPTIONS: `--require "${recorder}"`,
        REQUEST_LOG: requestLog,
        ...env,
      },
    });
    const database = new pg.Pool({ connectionString: stack.databaseUrl, max: 2 });
    // It ends before the stack is stopped; what breaks before that, the next query says.
    database.on('error', () => {});
    return new RelayPacs(stack, await ApiClient.signUp(stack.baseUrl), database, requestLog);
  }

  /** Sends a study and waits for the PACS to have it. */
  async deliver(study: MadeStudy): Promise<Delivery> {
    return this.delivered(await this.send(study));
  }

  /** Sends a study, six files at a time; resolves with its upload when all of it is acknowledged. */
  async send({ files, bytes }: MadeStudy): Promise<string> {
    const upload = await this.client.announce({ fileCount: files.length, totalBytes: bytes });
    const waiting = files.values();
    const lane = async () => {
      for (const file of waiting) await this.sendFile(upload, file);
    };
    await Promise.all(Array.from({ length: 6 }, lane));
    return upload.id;
  }

  private async sendFile(upload: { uploadToken: string }, file: string): Promise<void> {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      if (size <= CHUNK) {
        const { status } = await this.client.createFile(upload, await readFile(handle), path.basename(file));
        if (status !== 201) throw new Error(`A file was answered ${status}`);
        return;
      }
      const made = await this.client.createFile(upload, new Uint8Array(0), path.basename(file), {
        'upload-length': String(size),
      });
      const location = made.headers.get('location') ?? '';
      const buffer = new Uint8Array(CHUNK);
      for (let offset = 0; offset < size; ) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK, offset);
        const { status } = await this.client.request('PATCH', location, {
          headers: {
            authorization: `Bearer ${upload.uploadToken}`,
            'tus-resumable': '1.0.0',
            'content-type': 'application/offset+octet-stream',
            'upload-offset': String(offset),
          },
          body: buffer.subarray(0, bytesRead),
        });
        if (status !== 204) throw new Error(`A chunk was answered ${status}`);
        offset += bytesRead;
      }
    } finally {
      await handle.close();
    }
  }

  /** Waits for the end of an upload by its row alone: asking the server for all of it would take time from the worker. */
  async delivered(uploadId: string): Promise<Delivery> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const { rows } = await this.database.query<{
        status: string;
        received_at: Date;
        ended_at: Date | null;
      }>('SELECT status, received_at, ended_at FROM uploads WHERE id = $1', [uploadId]);
      const [row] = rows;
      if (row?.ended_at) {
        if (row.status !== 'delivered')
          throw new Error(`The upload is ${row.status}: ${this.stack.worker.log}`);
        const [received, delivered] = [row.received_at.getTime(), row.ended_at.getTime()];
        return { received, delivered, requests: await this.requestsBetween(received, delivered) };
      }
      if (Date.now() > deadline)
        throw new Error(`The upload is still ${row?.status}: ${this.stack.worker.log}`);
      await sleep(POLL_MS);
    }
  }

  private async requestsBetween(begin: number, end: number): Promise<PacsRequest[]> {
    const lines = (await readFile(this.requestLog, 'utf8')).trim().split('\n');
    return lines
      .map((line) => JSON.parse(line) as PacsRequest)
      .filter((request) => request.begin >= begin && request.end <= end);
  }

  async stop(): Promise<void> {
    await this.database.end();
    await this.stack.stop();
  }
}
