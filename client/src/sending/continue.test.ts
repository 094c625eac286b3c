import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Network } from '../api/network.js';
import { Session } from '../api/session.js';
import { UploadsApi } from '../api/uploads.js';
import { SendingEngine } from './engine.js';
import { bufferReader } from './testing/buffer-reader.js';
import { UploadServer } from './testing/upload-server.js';
import type { DuplicateAnswer, StudyToSend } from './transfer.js';
import { createTusTransport } from './tus-transport.js';

vi.setConfig({ testTimeout: 20_000 });

const SIZES = [1000, 2000, 600_000, 3000, 0];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);
const blobs = SIZES.map((size) => new Blob([randomBytes(size)]));
let server: UploadServer;
let engine: SendingEngine;

beforeEach(async () => {
  server = await UploadServer.start();
  engine = openPage();
});

afterEach(async () => {
  engine.clear();
  await server.stop();
});

function openPage(): SendingEngine {
  const session = new Session({ origin: server.origin, exclusively: (work) => work() });
  return new SendingEngine({
    uploads: new UploadsApi(session),
    network: new Network(true),
    loadTransport: async () => createTusTransport({ origin: server.origin, fileReader: bufferReader }),
    whenSignedIn: async () => {},
    parallel: 1,
    firstDelayMs: 5,
  });
}

/** The same files, as they are picked again: under new client ids. */
function picked(more: Partial<StudyToSend['announcement']> = {}, contents = blobs): StudyToSend {
  return {
    announcement: {
      patientName: 'Doe^Jane',
      studyDate: '2026-01-14',
      modality: 'CT',
      serviceLevel: 'routine',
      fileCount: contents.length,
      totalBytes: contents.reduce((sum, blob) => sum + blob.size, 0),
      patientId: 'P-7',
      studyInstanceUid: '1.2.3',
      ...more,
    },
    files: contents.map((blob, index) => ({
      clientId: randomUUID(),
      blob,
      name: 'IM0001',
      relativePath: `S1/${index}/IM0001`,
    })),
  };
}

const says = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 10 });
const phase = () => engine.value[0]?.phase;
const answer = (word: DuplicateAnswer) => engine.answerDuplicate(engine.value[0]?.id ?? '', word);
const isTus = (request: IncomingMessage) => (request.url ?? '').startsWith('/files');

/** Sends until two files and a part of the third have arrived, and closes the page. */
async function interrupt(study = picked()): Promise<void> {
  let patches = 0;
  server.intercept = (request) => {
    if (request.method === 'PATCH' && isTus(request)) patches += 1;
    if (patches < 4) return false;
    request.socket.destroy();
    return true;
  };
  engine.send([study]);
  await says(() => patches >= 4);
  engine.clear();
  server.intercept = () => false;
  await says(() => server.openFiles === 0);
  engine = openPage();
}

it('goes on with an upload an earlier page began, and sends only what had not arrived', async () => {
  await interrupt();
  let sentBytes = 0;
  server.intercept = (request) => {
    if (isTus(request)) sentBytes += Number(request.headers['content-length'] ?? 0);
    return false;
  };
  engine.send([picked()]);
  await says(() => phase() === 'duplicate');
  expect(engine.value[0]?.earlier).toMatchObject({ id: server.uploads[0]?.id, status: 'uploading' });
  let first: { filesSent: number; bytesSent: number } | undefined;
  engine.subscribe(() => {
    const [study] = engine.value;
    if (study?.phase === 'sending') first ??= { filesSent: study.filesSent, bytesSent: study.bytesSent };
  });
  answer('continue');
  await says(() => phase() === 'sent');
  expect(first?.filesSent).toBe(2);
  expect(first?.bytesSent).toBeGreaterThan(64 * 1024);
  expect(sentBytes).toBe(TOTAL - (first?.bytesSent ?? 0));
  expect(server.uploads).toHaveLength(1);
  const digests = blobs.map(async (blob) =>
    createHash('sha256')
      .update(Buffer.from(await blob.arrayBuffer()))
      .digest('hex'),
  );
  expect([...(server.uploads[0]?.files.values() ?? [])].sort()).toEqual((await Promise.all(digests)).sort());
});

it.each<[string, StudyToSend]>([
  ['another number of files', picked({}, blobs.slice(1))],
  ['another patient id', picked({ patientId: 'P-8' })],
  ['another Study Instance UID', picked({ studyInstanceUid: '1.2.9' })],
  ['other sizes', picked({}, [new Blob(['x'.repeat(900)]), new Blob(['x'.repeat(2100)]), ...blobs.slice(2)])],
])('does not join %s to an upload begun before, and offers a new one', async (_what, other) => {
  await interrupt();
  engine.send([other]);
  await says(() => phase() === 'duplicate');
  answer('continue');
  await says(() => engine.value[0]?.earlier?.differs === true);
  expect(phase()).toBe('duplicate');
  answer('new');
  await says(() => phase() === 'sent');
  expect(server.uploads).toHaveLength(2);
  expect(server.uploads[1]?.files.size).toBe(other.files.length);
});

it('does not guess between two files of one path and size', async () => {
  const twins = picked({}, [new Blob([randomBytes(10)]), new Blob([randomBytes(10)]), ...blobs.slice(2)]);
  const ambiguous = { ...twins, files: twins.files.map((file) => ({ ...file, relativePath: 'IM0001' })) };
  await interrupt(ambiguous);
  engine.send([ambiguous]);
  await says(() => phase() === 'duplicate');
  answer('continue');
  await says(() => engine.value[0]?.earlier?.differs === true);
});

it('begins anew when the upload was closed before the person answered', async () => {
  await interrupt();
  engine.send([picked()]);
  await says(() => phase() === 'duplicate');
  server.intercept = (request, response) => {
    if (!request.url?.endsWith('/token')) return false;
    request.resume();
    server.uploads.length = 0;
    response.writeHead(409, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ status: 409, code: 'UPLOAD_NOT_OPEN', detail: 'It is expired.' }));
    return true;
  };
  answer('continue');
  await says(() => phase() === 'sent');
  expect(server.uploads[0]?.files.size).toBe(blobs.length);
});
