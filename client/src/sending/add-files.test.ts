import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Network } from '../api/network.js';
import { Session } from '../api/session.js';
import { UploadsApi } from '../api/uploads.js';
import { SendingEngine } from './engine.js';
import { bufferReader } from './testing/buffer-reader.js';
import { UploadServer } from './testing/upload-server.js';
import type { FileToSend } from './transport.js';
import { createTusTransport } from './tus-transport.js';

vi.setConfig({ testTimeout: 20_000 });

let server: UploadServer;
let uploads: UploadsApi;
let engine: SendingEngine;

beforeEach(async () => {
  server = await UploadServer.start();
  const session = new Session({ origin: server.origin, exclusively: (work) => work() });
  uploads = new UploadsApi(session);
  engine = new SendingEngine({
    uploads,
    network: new Network(true),
    loadTransport: async () => createTusTransport({ origin: server.origin, fileReader: bufferReader }),
    whenSignedIn: async () => {},
    parallel: 2,
    firstDelayMs: 5,
  });
});

afterEach(async () => {
  engine.clear();
  await server.stop();
});

const says = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 10 });
const phases = () => engine.value.map(({ phase }) => phase);

function filesOf(...sizes: number[]): FileToSend[] {
  return sizes.map((size, index) => ({
    clientId: randomUUID(),
    blob: new Blob([randomBytes(size)]),
    name: `IM${index}`,
    relativePath: `S2/IM${index}`,
  }));
}

/** Sends two files, which the server then has doubts about: it waits for an answer. */
async function waitingUpload() {
  const files = filesOf(1000, 2000);
  const announcement = {
    patientName: 'Doe^Jane',
    studyDate: '2026-01-14',
    modality: 'CT',
    serviceLevel: 'stat' as const,
    fileCount: 2,
    totalBytes: 3000,
  };
  engine.send([{ announcement, files }]);
  await says(() => phases()[0] === 'sent');
  const upload = server.uploads[0]!;
  upload.status = 'processing';
  upload.completed = false;
  server.tusRequests.length = 0;
  const { patientName, studyDate, modality, serviceLevel } = announcement;
  return {
    upload,
    files,
    // What the pages know of it; the rest of a summary is of no interest here.
    shown: { id: upload.id, patientName, studyDate, modality, serviceLevel, filesReceived: 2 } as Parameters<
      SendingEngine['addFiles']
    >[0],
  };
}

/** Has the server do the work of the next call to `path`, and the network lose its answer. */
function loseAnswerOnce(path: string): void {
  let lost = false;
  server.intercept = (request, response) => {
    if (!request.url?.endsWith(path) || lost) return false;
    lost = true;
    response.writeHead = () => {
      request.socket.destroy();
      return response;
    };
    return false;
  };
}

it('sends only the added files into the upload that waits, and has it confirmed again', async () => {
  const { upload, files, shown } = await waitingUpload();
  const added = filesOf(300_000, 10);
  engine.addFiles(shown, added);
  expect(engine.value).toMatchObject([
    {
      uploadId: upload.id,
      patientName: 'Doe, Jane',
      serviceLevel: 'stat',
      fileCount: 2,
      totalBytes: 300_010,
    },
  ]);
  await says(() => phases()[0] === 'sent');
  expect(server.uploads).toHaveLength(1);
  expect(upload).toMatchObject({ status: 'received', completed: true });
  expect(server.tusRequests.filter((each) => each.startsWith('POST'))).toHaveLength(2);
  for (const { clientId, blob } of [...files, ...added]) {
    const bytes = Buffer.from(await blob.arrayBuffer());
    expect(upload.files.get(clientId)).toBe(createHash('sha256').update(bytes).digest('hex'));
  }
});

it('does not take the lost answer to its own question for a refusal', async () => {
  const { upload, shown } = await waitingUpload();
  loseAnswerOnce('/reopen');
  engine.addFiles(shown, filesOf(500));
  await says(() => phases()[0] === 'sent');
  expect(upload).toMatchObject({ status: 'received', completed: true });
  expect(upload.files.size).toBe(3);
});

it('says so when the upload does not wait any more, and sends nothing', async () => {
  const { upload, shown } = await waitingUpload();
  upload.status = 'delivering';
  engine.addFiles(shown, filesOf(500));
  await says(() => phases()[0] === 'failed');
  expect(engine.value[0]?.problem).toBe('The upload is delivering and does not wait.');
  expect(server.tusRequests).toEqual([]);
});

it('does not join an upload that another page has opened for other files', async () => {
  const { upload, shown } = await waitingUpload();
  loseAnswerOnce('/reopen');
  const opened = server.intercept;
  server.intercept = (request, response) => {
    if (request.url?.endsWith('/reopen') && upload.status === 'uploading') upload.request.fileCount = 99;
    return opened(request, response);
  };
  engine.addFiles(shown, filesOf(500));
  await says(() => phases()[0] === 'failed');
  expect(server.tusRequests).toEqual([]);
});

it('adds once although it is asked twice', async () => {
  const { upload, shown } = await waitingUpload();
  const files = filesOf(500);
  engine.addFiles(shown, files);
  engine.addFiles(shown, files);
  engine.addFiles(shown, []);
  expect(engine.value).toHaveLength(1);
  await says(() => phases()[0] === 'sent');
  expect(upload.files.size).toBe(3);
});

it('gives up an attempt that failed for the next one', async () => {
  const { upload, shown } = await waitingUpload();
  upload.status = 'delivering';
  engine.addFiles(shown, filesOf(500));
  await says(() => phases()[0] === 'failed');
  upload.status = 'processing';
  engine.addFiles(shown, filesOf(600));
  await says(() => phases()[0] === 'sent');
  expect(engine.value).toHaveLength(1);
});

it('cancels the whole upload when the person cancels before it was opened', async () => {
  const { upload, shown } = await waitingUpload();
  server.intercept = (request) => request.url?.endsWith('/reopen') ?? false;
  engine.addFiles(shown, filesOf(500));
  await says(() => phases()[0] === 'announcing');
  await engine.cancel(engine.value[0]?.id ?? '');
  expect(phases()).toEqual(['cancelled']);
  expect(upload.status).toBe('cancelled');
});

it('leaves what has arrived alone when another person takes over the page', async () => {
  const { upload, shown } = await waitingUpload();
  const reopen = vi.spyOn(uploads, 'reopen');
  const cancel = vi.spyOn(uploads, 'cancel');
  engine.addFiles(shown, filesOf(500));
  engine.clear();
  await reopen.mock.results[0]?.value;
  expect(upload.status).toBe('uploading');
  expect(cancel).not.toHaveBeenCalled();
  expect(engine.value).toEqual([]);
});
