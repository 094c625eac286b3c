import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDicomFile } from '../testing/dicom-file.js';
import {
  lostWith,
  multipartBody,
  RelentlessClient,
  STOW_TYPE,
  TestSandbox,
} from '../testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

const large = () => makeDicomFile({ elements: { '7FE00010': ['OW', Buffer.alloc(200_000)] } });
async function timed<T>(task: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  const result = await task();
  return { result, ms: performance.now() - start };
}

describe('refuse', () => {
  it('resets the connection at once, whatever is asked', async () => {
    await sandbox.putFaults({ kind: 'refuse', on: 'any' });
    expect(await lostWith(sandbox.post([makeDicomFile().bytes]))).toBe('ECONNRESET');
    expect(await lostWith(sandbox.get('/studies'))).toBe('ECONNRESET');
    await sandbox.deleteFaults();
    expect(await sandbox.found()).toEqual([]);
  });
});

describe('slow', () => {
  it('holds the answer back once all is done', async () => {
    const file = makeDicomFile();
    await sandbox.putFaults({ kind: 'slow', on: 'stow', delayMs: 400 });
    const answered = timed(() => sandbox.stow([file.bytes]));
    await expect.poll(() => sandbox.found()).toEqual([file.sopUid]);
    const { result, ms } = await answered;
    expect(result.stored).toEqual([file.sopUid]);
    expect(ms).toBeGreaterThan(390);
  });

  it.each(['qido', 'wado'] as const)('holds back the answers of %s', async (on) => {
    const { bytes, studyUid } = makeDicomFile();
    await sandbox.stow([bytes]);
    await sandbox.putFaults({ kind: 'slow', on, delayMs: 300 });
    const path = on === 'qido' ? '/studies' : `/studies/${studyUid}`;
    expect((await timed(async () => (await sandbox.get(path)).arrayBuffer())).ms).toBeGreaterThan(290);
  });

  it('reads the body of a request only so fast', async () => {
    await sandbox.putFaults({ kind: 'slow', on: 'stow', bytesPerSecond: 400_000 });
    const { result, ms } = await timed(() => sandbox.stow([large().bytes]));
    expect(result.status).toBe(200);
    expect(ms).toBeGreaterThan(450);
  });

  it('sends an answer only so fast, and whole', async () => {
    const { bytes, studyUid } = large();
    await sandbox.stow([bytes]);
    await sandbox.putFaults({ kind: 'slow', on: 'wado', bytesPerSecond: 400_000 });
    const { result, ms } = await timed(async () => (await sandbox.get(`/studies/${studyUid}`)).arrayBuffer());
    expect(result.byteLength).toBeGreaterThan(bytes.length);
    expect(ms).toBeGreaterThan(450);
  });
});

describe('hang', () => {
  it('never answers, stores nothing, and holds up no end', async () => {
    await sandbox.putFaults({ kind: 'hang', on: 'stow' });
    const lost = lostWith(sandbox.post([makeDicomFile().bytes]));
    await expect.poll(() => sandbox.fired()).toEqual([1]);
    expect(await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 300, 'silence'))])).toBe(
      'silence',
    );
    expect(await sandbox.found()).toEqual([]);
    const { ms } = await timed(() => sandbox.restart());
    expect(ms).toBeLessThan(3000);
    expect(await lost).toMatch(/ECONNRESET|UND_ERR_SOCKET/);
  });

  it('can stop reading in the middle of the body', async () => {
    await sandbox.putFaults({ kind: 'hang', on: 'stow', afterBytes: 10 });
    const client = new RelentlessClient(sandbox);
    await expect.poll(() => client.isStalled(), { timeout: 10_000 }).toBe(true);
    client.stop();
  });

  it('otherwise reads on', async () => {
    await sandbox.putFaults({ kind: 'hang', on: 'stow' });
    const client = new RelentlessClient(sandbox);
    await expect.poll(() => client.written, { timeout: 20_000 }).toBeGreaterThan(64 * 1024 * 1024);
    client.stop();
  });
});

describe('dropMidBody', () => {
  it('reads so much of the body and resets', async () => {
    await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1000 });
    expect(await lostWith(sandbox.post([large().bytes]))).toMatch(/ECONNRESET|EPIPE/);
    expect(await sandbox.found()).toEqual([]);
    await expect.poll(() => sandbox.files('incoming')).toEqual([]);
  });

  it('loses the answer too when the body is shorter', async () => {
    await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1_000_000 });
    expect(await lostWith(sandbox.post([makeDicomFile().bytes]))).toBe('ECONNRESET');
    expect(await sandbox.found()).toEqual([]);
  });

  it('leaves the parts that had come stored where the archive stores part by part', async () => {
    await sandbox.stop();
    sandbox = await TestSandbox.start({ personality: 'dcm4chee' });
    const [first, second] = [makeDicomFile(), makeDicomFile()];
    const afterBytes = multipartBody([first.bytes]).length;
    await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes });
    await lostWith(sandbox.post([first.bytes, second.bytes]));
    expect(await sandbox.found()).toEqual([first.sopUid]);
  });

  it('sends so much of an answer and resets', async () => {
    const { bytes, studyUid } = large();
    await sandbox.stow([bytes]);
    await sandbox.putFaults({ kind: 'dropMidBody', on: 'wado', afterBytes: 5000 });
    const response = await sandbox.get(`/studies/${studyUid}`);
    expect(response.status).toBe(200);
    let received = 0;
    await expect(async () => {
      for await (const chunk of response.body ?? []) received += chunk.length;
    }).rejects.toThrow();
    expect(received).toBe(5000);
  });
});

describe('status', () => {
  it.each([401, 403, 408, 429, 500, 503])('answers %d and stores nothing', async (status) => {
    await sandbox.putFaults({ kind: 'status', on: 'stow', status });
    expect((await sandbox.post([makeDicomFile().bytes])).status).toBe(status);
    expect(await sandbox.found()).toEqual([]);
  });

  it.each([
    [{ status: 429 }, '1'],
    [{ status: 429, retryAfterSeconds: 7 }, '7'],
    [{ status: 503, retryAfterSeconds: 0 }, '0'],
    [{ status: 503 }, null],
  ])('with %j says Retry-After %s', async (fault, expected) => {
    await sandbox.putFaults({ kind: 'status', on: 'qido', ...fault });
    expect((await sandbox.get('/studies')).headers.get('retry-after')).toBe(expected);
  });

  it.each([
    [true, true],
    [false, false],
  ])('early: %s, is answered before the body is there: %s', async (early, expected) => {
    await sandbox.putFaults({ kind: 'status', on: 'stow', status: 503, early });
    const body = multipartBody([makeDicomFile().bytes]);
    const socket = createConnection(sandbox.port, '127.0.0.1');
    const head = `POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: ${STOW_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n`;
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.write(head);
    socket.write(body.subarray(0, -1));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(text.startsWith('HTTP/1.1 503')).toBe(expected);
    socket.write(body.subarray(-1));
    if (!expected) await once(socket, 'data');
    expect(text).toContain('HTTP/1.1 503');
    socket.destroy();
  });

  it('can be slow as well', async () => {
    await sandbox.putFaults(
      { kind: 'slow', on: 'qido', delayMs: 300 },
      { kind: 'status', on: 'qido', status: 500 },
    );
    const { result, ms } = await timed(() => sandbox.get('/studies'));
    expect(result.status).toBe(500);
    expect(ms).toBeGreaterThan(290);
  });
});
