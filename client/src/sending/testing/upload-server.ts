import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  CreateUploadRequest,
  ReopenUploadRequest,
  UploadStatus,
} from '@relaypacs/core/contract/uploads.js';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const PUBLIC_URL = 'https://relaypacs.invalid';

interface TestUpload {
  id: string;
  request: CreateUploadRequest;
  status: UploadStatus;
  token: string;
  /** SHA-256 of every finished file, by its clientId. */
  files: Map<string, string>;
  completed: boolean;
}

/** A real tus server with as much of the API around it as sending needs, which can be told to misbehave. */
export class UploadServer {
  readonly uploads: TestUpload[] = [];
  /** Every tus request, as `METHOD status`. */
  readonly tusRequests: string[] = [];
  /** Called first for each request; answers or destroys it itself when it says true. May hold the request back. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean> = () => false;
  openFiles = 0;
  mostOpenFiles = 0;
  readonly #tus: Server;
  readonly #http = createServer((request, response) => void this.#handle(request, response));
  readonly #folder: string;
  readonly #store: FileStore;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#store = new FileStore({ directory: folder });
    this.#tus = new Server({
      path: '/files',
      datastore: this.#store,
      // The name the server is known by elsewhere: nobody answers there.
      generateUrl: (_request, { path, id }) => `${PUBLIC_URL}${path}/${id}`,
      onUploadFinish: async (_request, file) => {
        const bytes = await readFile(join(folder, file.id));
        const upload = this.uploads.find((each) => each.id === file.metadata?.uploadId);
        const digest = createHash('sha256').update(bytes).digest('hex');
        upload?.files.set(file.metadata?.clientId ?? '', digest);
        return {};
      },
    });
  }

  static async start(): Promise<UploadServer> {
    const server = new UploadServer(await mkdtemp(join(tmpdir(), 'relaypacs-sending-')));
    await new Promise<void>((resolve) => server.#http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (await this.intercept(request, response)) return;
    const path = request.url ?? '';
    if (path.startsWith('/files')) return this.#handleTus(request, response);
    const body = await readBody(request);
    const answer = (status: number, value?: unknown) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(value === undefined ? undefined : JSON.stringify(value));
    };
    if (path === '/api/v1/auth/refresh') {
      return answer(200, { accessToken: 'access', expiresIn: 3600, user: { id: 'u1', username: 'sarah' } });
    }
    if (path === '/api/v1/uploads') return this.#announce(body as CreateUploadRequest, answer);
    const [, id, action] = /^\/api\/v1\/uploads\/([^/]+)\/?(\w*)$/.exec(path) ?? [];
    const upload = this.uploads.find((each) => each.id === id);
    if (!upload) return answer(404, { status: 404, code: 'NOT_FOUND', detail: 'No such upload.' });
    if (action === 'token') {
      upload.token = randomUUID();
      return answer(200, { uploadToken: upload.token, expiresAt: new Date().toISOString() });
    }
    if (action === 'complete') {
      if (upload.files.size < upload.request.fileCount) {
        return answer(409, { status: 409, code: 'FILES_INCOMPLETE', detail: 'Some files are missing.' });
      }
      upload.completed = true;
      upload.status = 'received';
      return answer(202, {});
    }
    if (request.method === 'DELETE') {
      upload.status = 'cancelled';
      response.writeHead(204).end();
      return;
    }
    if (action === 'reopen') return this.#reopen(upload, body as ReopenUploadRequest, answer);
    const { fileCount, totalBytes, patientId = null, studyInstanceUid = null } = upload.request;
    const files = await this.#filesOf(upload.id);
    answer(200, {
      id: upload.id,
      status: upload.status,
      fileCount,
      totalBytes,
      patientId,
      studyInstanceUid,
      files,
    });
  }

  async #filesOf(uploadId: string) {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'));
    const files = await Promise.all(names.map((name) => this.#store.getUpload(name.replace('.json', ''))));
    return files
      .filter(({ metadata }) => metadata?.uploadId === uploadId)
      .map(({ id, size, offset, metadata }) => ({
        id,
        filename: metadata?.filename,
        relativePath: metadata?.relativePath,
        size,
        offset,
        status: offset === size ? 'received' : 'uploading',
      }));
  }

  #announce(request: CreateUploadRequest, answer: (status: number, value: unknown) => void): void {
    const existing = this.uploads.find((each) => each.request.patientName === request.patientName);
    if (existing && !request.forceUpload) {
      const { id, status } = existing;
      const createdAt = '2026-01-14T10:00:00.000Z';
      answer(409, { status: 409, code: 'DUPLICATE_STUDY', existing: { id, status, createdAt } });
      return;
    }
    const upload: TestUpload = {
      id: randomUUID(),
      request,
      status: 'created',
      token: randomUUID(),
      files: new Map(),
      completed: false,
    };
    this.uploads.push(upload);
    answer(201, readyForFiles(upload));
  }

  #reopen(
    upload: TestUpload,
    more: ReopenUploadRequest,
    answer: (status: number, value: unknown) => void,
  ): void {
    if (upload.status !== 'processing') {
      const detail = `The upload is ${upload.status} and does not wait.`;
      answer(409, { status: 409, code: 'UPLOAD_STATE_CONFLICT', detail });
      return;
    }
    upload.status = 'uploading';
    upload.request = {
      ...upload.request,
      fileCount: upload.files.size + more.fileCount,
      totalBytes: upload.request.totalBytes + more.totalBytes,
    };
    answer(200, readyForFiles(upload));
  }

  async #handleTus(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = request.headers.authorization?.replace('Bearer ', '');
    const upload = this.uploads.find((each) => each.token === token);
    response.on('finish', () => this.tusRequests.push(`${request.method} ${response.statusCode}`));
    if (!upload) {
      request.resume();
      response.writeHead(401, { 'Content-Type': 'application/problem+json' });
      response.end(JSON.stringify({ status: 401, code: 'INVALID_TOKEN', detail: 'The token is not valid.' }));
      return;
    }
    if (upload.status === 'created') upload.status = 'uploading';
    this.openFiles += 1;
    this.mostOpenFiles = Math.max(this.mostOpenFiles, this.openFiles);
    response.on('close', () => {
      this.openFiles -= 1;
    });
    await this.#tus.handle(request, response).catch(() => response.destroy());
  }
}

function readyForFiles({ id, status, token }: TestUpload) {
  return {
    id,
    status,
    uploadToken: token,
    tusEndpoint: `${PUBLIC_URL}/files`,
    chunkSize: 64 * 1024,
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}
