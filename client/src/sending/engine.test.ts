import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Network } from '../api/network.js';
import { Session } from '../api/session.js';
import { UploadsApi } from '../api/uploads.js';
import { SendingEngine } from './engine.js';
import { bufferReader } from './testing/buffer-reader.js';
import { UploadServer } from './testing/upload-server.js';
import type { StudyToSend } from './transfer.js';
import { createTusTransport } from './tus-transport.js';

// Real servers, files and connections: a machine with other work to do needs time for them.
vi.setConfig({ testTimeout: 20_000 });

let server: UploadServer;
let network: Network;
let engine: SendingEngine;
/** Makes another `engine`, as a page does when it is loaded. */
let openPage: () => void;

beforeEach(async () => {
  server = await UploadServer.start();
  network = new Network(true);
  const session = new Session({ origin: server.origin, exclusively: (work) => work() });
  openPage = () => {
    engine = new SendingEngine({
      uploads: new UploadsApi(session),
      network,
      loadTransport: async () => createTusTransport({ origin: server.origin, fileReader: bufferReader }),
      whenSignedIn: async () => {},
      parallel: 6,
      firstDelayMs: 5,
    });
  };
  openPage();
});

afterEach(async () => {
  engine.clear();
  await server.stop();
});

function study(patientName: string, sizes: number[], more: Partial<StudyToSend['announcement']> = {}) {
  const files = sizes.map((size, index) => ({
    clientId: randomUUID(),
    blob: new Blob([randomBytes(size)]),
    name: 'IM0001',
    relativePath: `S1/${index}/IM0001`,
  }));
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    announcement: {
      patientName,
      studyDate: '2026-01-14',
      modality: 'CT',
      serviceLevel: 'routine' as const,
      fileCount: files.length,
      totalBytes,
      ...more,
    },
    files,
  } satisfies StudyToSend;
}

/** Waits until the engine says so: it tells of every change. */
function engineSays(condition: () => boolean): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 10 });
}

const phases = () => engine.value.map((each) => each.phase);

async function expectWhole(sent: StudyToSend, upload = server.uploads[0]): Promise<void> {
  for (const file of sent.files) {
    const bytes = Buffer.from(await file.blob.arrayBuffer());
    expect(upload?.files.get(file.clientId)).toBe(createHash('sha256').update(bytes).digest('hex'));
  }
}

/** Something to wait for, and what ends the waiting. */
function gate(): { passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

const isTus = (request: IncomingMessage) => (request.url ?? '').startsWith('/files');

it('sends every file of a study whole and has the server confirm it', async () => {
  const ct = study('Doe^Jane', [1, 1000, 64 * 1024, 300 * 1024, 1000]);
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'sent');
  await expectWhole(ct);
  expect(server.uploads[0]?.completed).toBe(true);
  expect(engine.value[0]).toMatchObject({ filesSent: 5, bytesSent: ct.announcement.totalBytes });
  expect(engine.busy).toBe(false);
  expect(server.tusRequests.filter((request) => request.startsWith('DELETE'))).toEqual([]);
});

it('finishes over connections that break in the middle', async () => {
  const sendings = new Map<string, number>();
  server.intercept = (request) => {
    if (!isTus(request) || request.method === 'HEAD') return false;
    // Of every file, two of three connections die: one at once, one while its body is coming in.
    const file = String(request.headers['upload-metadata'] ?? request.url);
    const sending = (sendings.get(file) ?? 0) + 1;
    sendings.set(file, sending);
    if (sending % 3 === 1) request.socket.destroy();
    else if (sending % 3 === 2) setTimeout(() => request.socket.destroy(), 2);
    return sending % 3 === 1;
  };
  const mr = study('Doe^John', [200 * 1024, 150 * 1024, 90 * 1024, 5]);
  engine.send([mr]);
  await engineSays(() => phases()[0] === 'sent');
  await expectWhole(mr);
});

it('waits while the server is overloaded and says so', async () => {
  let refused = 0;
  server.intercept = (request, response) => {
    if (!isTus(request) || refused >= 10) return false;
    refused += 1;
    request.resume();
    response.writeHead(refused % 2 ? 503 : 429).end();
    return true;
  };
  const us = study('Roe^Richard', [5000, 5000]);
  const seen = new Set<string | undefined>();
  engine.subscribe(() => seen.add(engine.value[0]?.hindrance));
  engine.send([us]);
  await engineSays(() => phases()[0] === 'sent');
  await expectWhole(us);
  expect(seen).toContain('serverBusy');
});

it('gets a fresh upload token when the old one has ended', async () => {
  const ct = study('Doe^Jane', [200 * 1024, 1000]);
  engine.subscribe(() => {
    const upload = server.uploads[0];
    if (upload && upload.files.size === 0 && server.tusRequests.length === 0) upload.token = 'ended';
  });
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'sent');
  expect(server.tusRequests).toContain('POST 401');
  await expectWhole(ct);
});

it('asks before it sends a study a second time', async () => {
  engine.send([study('Doe^Jane', [10])]);
  await engineSays(() => phases()[0] === 'sent');
  const again = study('Doe^Jane', [10, 20]);
  engine.send([again]);
  await engineSays(() => phases()[1] === 'duplicate');
  expect(engine.value[1]?.earlier).toMatchObject({ createdAt: '2026-01-14T10:00:00.000Z' });
  expect(server.uploads).toHaveLength(1);

  engine.answerDuplicate(engine.value[1]?.id ?? '', 'new');
  await engineSays(() => phases()[1] === 'sent');
  await expectWhole(again, server.uploads[1]);
});

it('takes a duplicate off the list when the person says no', async () => {
  engine.send([study('Doe^Jane', [10])]);
  await engineSays(() => phases()[0] === 'sent');
  engine.send([study('Doe^Jane', [10])]);
  await engineSays(() => phases()[1] === 'duplicate');
  engine.answerDuplicate(engine.value[1]?.id ?? '', 'doNotSend');
  expect(phases()).toEqual(['sent']);
  expect(server.uploads).toHaveLength(1);
});

it('does not mistake its own unanswered announcement for a duplicate', async () => {
  let lost = false;
  server.intercept = (request, response) => {
    if (request.url === '/api/v1/uploads' && !lost) {
      lost = true;
      // The server does its work; only its answer is lost.
      response.writeHead = () => {
        request.socket.destroy();
        return response;
      };
    }
    return false;
  };
  const ct = study('Doe^Jane', [10]);
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'sent');
  expect(server.uploads).toHaveLength(2);
  await expectWhole(ct, server.uploads[1]);
});

it('moves the files of a STAT study before those of a routine one', async () => {
  const order: string[] = [];
  const statAnnounced = gate();
  server.intercept = async (request) => {
    if (request.method === 'POST' && isTus(request)) {
      const token = request.headers.authorization?.slice('Bearer '.length);
      order.push(server.uploads.find((each) => each.token === token)?.request.serviceLevel ?? '');
      await statAnnounced.passed;
    }
    return false;
  };
  const routine = study('Routine^R', Array(30).fill(20_000));
  const stat = study('Stat^S', Array(10).fill(20_000), { serviceLevel: 'stat' });
  engine.send([routine]);
  await engineSays(() => order.length === 6);
  engine.send([stat]);
  await engineSays(() => phases()[1] === 'sending');
  statAnnounced.open();
  await engineSays(() => phases().every((phase) => phase === 'sent'));
  // After the six that were under way; files started together may reach the server in any order.
  expect(order.slice(0, 20).filter((level) => level === 'stat')).toHaveLength(10);
});

it('cancels at the server and stops sending', async () => {
  const cancelled = gate();
  server.intercept = async (request, response) => {
    if (!isTus(request)) return false;
    await cancelled.passed;
    response.destroy();
    return true;
  };
  engine.send([study('Doe^Jane', Array(20).fill(1000))]);
  await engineSays(() => phases()[0] === 'sending');
  await engine.cancel(engine.value[0]?.id ?? '');
  expect(phases()).toEqual(['cancelled']);
  expect(server.uploads[0]?.status).toBe('cancelled');
  cancelled.open();
  engine.dismiss(engine.value[0]?.id ?? '');
  expect(engine.value).toEqual([]);
});

it('goes on with a study that cannot be cancelled any more because part of it is in the PACS', async () => {
  const refused = 'Some images are in the PACS already, so the upload can no longer be taken back.';
  const held = gate();
  server.intercept = async (request, response) => {
    if (request.method === 'DELETE') {
      response.writeHead(409, { 'Content-Type': 'application/problem+json' });
      response.end(JSON.stringify({ status: 409, code: 'UPLOAD_STATE_CONFLICT', detail: refused }));
      return true;
    }
    if (isTus(request) && (server.uploads[0]?.files.size ?? 0) >= 4) await held.passed;
    return false;
  };
  const ct = study('Doe^Jane', Array(12).fill(1000), { serviceLevel: 'stat' });
  engine.send([ct]);
  await engineSays(() => (server.uploads[0]?.files.size ?? 0) >= 4);
  await engine.cancel(engine.value[0]?.id ?? '');
  expect(engine.value[0]).toMatchObject({ phase: 'failed', problem: refused });
  held.open();
  engine.tryAgain(engine.value[0]?.id ?? '');
  await engineSays(() => phases()[0] === 'sent');
  await expectWhole(ct);
});

it('stops at a refusal that cannot change, in the words of the server, and goes on when told to', async () => {
  let refuse = true;
  server.intercept = (request, response) => {
    if (!isTus(request) || !refuse) return false;
    request.resume();
    response.writeHead(413, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ code: 'UPLOAD_TOO_LARGE', detail: 'This study is larger than 2 GiB.' }));
    return true;
  };
  const ct = study('Doe^Jane', [1000, 2000]);
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'failed');
  expect(engine.value[0]?.problem).toBe('This study is larger than 2 GiB.');
  refuse = false;
  engine.tryAgain(engine.value[0]?.id ?? '');
  await engineSays(() => phases()[0] === 'sent');
  await expectWhole(ct);
});

it('learns that an upload has ended elsewhere and does not send into the void', async () => {
  const [bothRefused, bothAsked, secondAnswer] = [gate(), gate(), gate()];
  let refused = 0;
  let asked = 0;
  server.intercept = async (request, response) => {
    if (isTus(request)) {
      const upload = server.uploads[0];
      if (upload) upload.status = 'expired';
      request.resume();
      refused += 1;
      if (refused === 2) bothRefused.open();
      await bothRefused.passed;
      response.writeHead(410, { 'Content-Type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'GONE', detail: 'No longer there.' }));
      return true;
    }
    if (request.method !== 'GET') return false;
    // Both files ask what became of the upload; the first has its answer once the second has asked as well.
    asked += 1;
    if (asked === 2) bothAsked.open();
    await (asked === 2 ? secondAnswer : bothAsked).passed;
    return false;
  };
  const ct = study('Doe^Jane', [1000, 2000], { forceUpload: true });
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'failed');
  expect(engine.value[0]?.problem).toMatch(/ran out/);

  server.intercept = () => false;
  server.uploads.length = 0;
  engine.tryAgain(engine.value[0]?.id ?? '');
  // What the second file hears of the old upload now is no word about the new one.
  secondAnswer.open();
  await engineSays(() => phases()[0] === 'sent');
  expect(engine.value[0]).toMatchObject({ filesSent: 2, bytesSent: 3000 });
  await expectWhole(ct);
});

/** Answers 404 for the files of the given clientIds, as a server that has lost them. */
function lose(isLost: (clientId: string) => boolean): string[] {
  const created: string[] = [];
  const lostUrls = new Set<string>();
  server.intercept = (request, response) => {
    if (!isTus(request)) return false;
    if (request.method === 'POST') {
      const [, encoded = ''] =
        /clientId (\S+?)(?:,|$)/.exec(String(request.headers['upload-metadata'])) ?? [];
      const clientId = Buffer.from(encoded, 'base64').toString();
      created.push(clientId);
      if (isLost(clientId)) {
        // A creation is repeated by clientId: it leads to the file that was lost.
        request.resume();
        lostUrls.add(`/files/${clientId}`);
        response.writeHead(201, {
          Location: `/files/${clientId}`,
          'Tus-Resumable': '1.0.0',
          'Upload-Offset': 0,
        });
        response.end();
        return true;
      }
    }
    if (!lostUrls.has(request.url ?? '')) return false;
    request.resume();
    response.writeHead(404, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ code: 'NOT_FOUND', detail: 'No such file.' }));
    return true;
  };
  return created;
}

it('creates a file anew under another clientId when the server has lost it', async () => {
  const ct = study('Doe^Jane', [100_000]);
  const { clientId } = ct.files[0]!;
  const created = lose((each) => each === clientId);
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'sent');
  const last = created.at(-1) ?? '';
  expect(last).not.toBe(clientId);
  await expectWhole({ ...ct, files: [{ ...ct.files[0]!, clientId: last }] });
  expect(engine.value[0]).toMatchObject({ filesSent: 1, bytesSent: 100_000 });
});

it('fails with what to do when the server loses a file again and again, and goes on when told to', async () => {
  const ct = study('Doe^Jane', [1000]);
  let losing = true;
  const created = lose(() => losing);
  engine.send([ct]);
  await engineSays(() => phases()[0] === 'failed');
  expect(engine.value[0]?.problem).toMatch(/IM0001.*Try again.*administrator/);
  expect(new Set(created).size).toBe(4);

  losing = false;
  engine.tryAgain(engine.value[0]?.id ?? '');
  await engineSays(() => phases()[0] === 'sent');
  expect(server.uploads[0]?.files.size).toBe(1);
});

it('pauses without a network and goes on by itself', async () => {
  const large = study('Doe^Jane', [6_000_000, 6_000_000]);
  let requests = 0;
  server.intercept = (request) => {
    if (isTus(request)) requests += 1;
    if (requests === 4) network.change(false);
    return false;
  };
  engine.send([large]);
  await engineSays(() => !network.online);
  const picked = study('Roe^Richard', [1000]);
  engine.send([picked]);
  await engineSays(() => phases()[1] === 'sending' && server.openFiles === 0);
  expect(engine.value[0]?.hindrance).toBe('offline');
  // Long enough for any request that did not wait for the network: there are 180 to come, 5 ms apart.
  const seen = server.tusRequests.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(server.tusRequests.length).toBe(seen);
  expect(server.uploads[1]?.status).toBe('created');

  server.intercept = () => false;
  network.change(true);
  await engineSays(() => phases().every((phase) => phase === 'sent'));
  await expectWhole(large);
  await expectWhole(picked, server.uploads[1]);
});

it('says which file cannot be read any more instead of waiting for ever', async () => {
  const ct = study('Doe^Jane', [1000]);
  const stale = new Blob(['x'.repeat(1000)]);
  stale.slice = () => {
    throw new DOMException('gone', 'NotReadableError');
  };
  engine.send([{ ...ct, files: [{ ...ct.files[0]!, blob: stale }] }]);
  await engineSays(() => phases()[0] === 'failed');
  expect(engine.value[0]?.problem).toContain('IM0001');
});

it('sends six files at a time and tells the pages seldom, however many files there are', async () => {
  let told = 0;
  engine.subscribe(() => {
    told += 1;
  });
  engine.send([study('Doe^Jane', Array(400).fill(2_000))]);
  const startedAt = Date.now();
  await engineSays(() => phases()[0] === 'sent');
  expect(server.mostOpenFiles).toBeLessThanOrEqual(6);
  expect(told).toBeLessThan(10 + (Date.now() - startedAt) / 250);
});

it('shows a name written as DICOM does in readable form, and how many damaged images stayed behind', () => {
  engine.send([{ ...study('Doe^Jane', [10]), damaged: 2 }]);
  expect(engine.value[0]).toMatchObject({ patientName: 'Doe, Jane', damaged: 2 });
});

it('announces few studies ahead of their turn, but an urgent one at once', async () => {
  const held = gate();
  server.intercept = async (request) => {
    if (isTus(request)) await held.passed;
    return false;
  };
  const routine = Array.from({ length: 8 }, (_, index) => study(`R^${index}`, Array(7).fill(100)));
  engine.send(routine);
  await engineSays(() => server.uploads.length === 3 && phases()[2] === 'sending');
  expect(engine.value.slice(3).every((each) => each.phase === 'announcing' && each.queued)).toBe(true);
  engine.send([study('S^1', [100], { serviceLevel: 'stat' })]);
  await engineSays(() => phases()[8] === 'sending');
  expect(server.uploads).toHaveLength(4);
  held.open();
  await engineSays(() => phases().every((phase) => phase === 'sent'));
  expect(server.uploads).toHaveLength(9);
});

it('says that many studies at once are the reason of a wait, not the server', async () => {
  let refused = false;
  server.intercept = (request, response) => {
    if (request.url !== '/api/v1/uploads' || refused) return false;
    refused = true;
    request.resume();
    response.writeHead(429).end();
    return true;
  };
  const seen = new Set<string | undefined>();
  engine.subscribe(() => seen.add(engine.value[0]?.hindrance));
  engine.send([study('Doe^Jane', [10])]);
  await engineSays(() => phases()[0] === 'sent');
  expect(seen).toContain('rateLimited');
  expect(seen).not.toContain('serverBusy');
});
