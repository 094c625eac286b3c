import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform } from '@relaypacs/core/platform.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeOrphans } from '../worker/src/upkeep/remove-orphans.js';
import { ApiClient } from './support/api-client.js';
import { type Radosgw, startRadosgw } from './support/radosgw.js';
import { IS_GIVEN, openS3Platform, readFileBytes, S3Bucket, s3Variables } from './support/s3-bucket.js';
import { S3Proxy } from './support/s3-proxy.js';
import { type AddedServer, type Stack, startStack } from './support/stack.js';
import {
  arrived,
  BYTES,
  beginFile,
  head,
  patch,
  RawPatch,
  type SentFile,
  sendRest,
} from './support/tus-requests.js';

const KIB = 1024;
const MIB = 1024 * KIB;

let service: Radosgw;
let bucket: S3Bucket;
/** Before the first server only. */
let proxy: S3Proxy;
let stack: Stack;
let second: AddedServer;
let platform: Platform;
let jane: ApiClient;

beforeAll(async () => {
  service = await startRadosgw();
  const name = await service.createBucket();
  bucket = new S3Bucket(service, name);
  proxy = await S3Proxy.start(service.endpoint);
  stack = await startStack({ worker: false, env: s3Variables(service, name, proxy.endpoint) });
  second = await stack.addServer({ S3_ENDPOINT: service.endpoint });
  platform = await openS3Platform(stack, s3Variables(service, name));
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await proxy?.close();
  bucket?.close();
  await service?.dispose();
});

const digest = (bytes: Uint8Array) => `sha256 ${createHash('sha256').update(bytes).digest('base64')}`;
const at = (server: AddedServer, file: SentFile): SentFile => ({
  ...file,
  url: `${server.baseUrl}/files/${file.id}`,
});
const objectsOf = async ({ id }: SentFile) => (await bucket.contents()).filter((key) => key.startsWith(id));
const expectStored = async ({ id }: SentFile, content: Buffer) =>
  expect((await readFileBytes(platform, id)).equals(content)).toBe(true);

/** Sends the rest until the service takes it. */
async function finish(file: SentFile, content: Buffer): Promise<void> {
  expect(await sendRest(file, content)).toBe(content.length);
  await expectStored(file, content);
}

describe('bytes on their way to a bucket', () => {
  it('count when the connection drops', async () => {
    const content = randomBytes(10 * MIB);
    const file = await beginFile(jane, content.length);
    const request = new RawPatch(file, 0, content.length);
    await request.write(content.subarray(0, 9_000_001));
    await arrived(request.socket);
    request.drop();
    await expect.poll(async () => (await head(file)).offset).toBe(9_000_001);
    expect((await readFileBytes(platform, file.id)).equals(content.subarray(0, 9_000_001))).toBe(true);
    await finish(file, content);
  });

  it('leave nothing behind when they are not what their checksum says', async () => {
    const content = randomBytes(9 * MIB);
    const file = await beginFile(jane, content.length);
    proxy.takeMethods();
    const damaged = await patch(file, 0, content, { 'upload-checksum': digest(randomBytes(10)) });
    expect(damaged.status).toBe(460);
    // There was an object already, because a storage that gathers so much sends it before the body is at its end.
    expect(proxy.takeMethods()).toContain('PUT');
    expect(await objectsOf(file)).toEqual([]);
    expect((await head(file)).offset).toBe(0);
    const sum = { 'upload-checksum': digest(content) };
    expect(await patch(file, 0, content, sum)).toMatchObject({ status: 204, offset: content.length });
    await expectStored(file, content);
  });

  it('go over to another server in half a second and the time of one PUT', async () => {
    const content = randomBytes(4 * MIB);
    const file = await beginFile(jane, content.length);
    const silent = new RawPatch(file, 0, content.length);
    await silent.write(content.subarray(0, 2 * MIB));
    await arrived(silent.socket);
    const begun = performance.now();
    const writer = platform.storage.write({ fileId: file.id, offset: 0 });
    await writer.append([content.subarray(0, 2 * MIB)]);
    await writer.sync();
    await writer.close();
    const putMs = performance.now() - begun;
    const seen = await head(at(second, file));
    expect(seen).toMatchObject({ status: 200, offset: 2 * MIB });
    // Twice that is for a busy machine; the silence itself would end it after twenty seconds.
    expect(seen.ms).toBeLessThanOrEqual(2 * (500 + putMs));
    await expect.poll(() => silent.answer).toMatchObject({ status: 204, offset: 2 * MIB, closes: true });
    silent.drop();
    await finish(at(second, file), content);
  });
});

describe('a server that is killed', () => {
  it('loses no acknowledged byte, and what it left behind is found', async () => {
    const content = randomBytes(24 * MIB);
    const file = await beginFile(jane, content.length);
    let acknowledged = 0;
    for (let round = 0; round < 8; round += 1) {
      const sending = (async () => {
        for (;;) {
          const bytes = content.subarray(acknowledged, acknowledged + 256 * KIB);
          const sent = await patch(file, acknowledged, bytes).catch(() => undefined);
          if (sent?.status !== 204) return sent?.status;
          acknowledged = sent.offset;
        }
      })();
      await sleep(20 + Math.random() * 250);
      await stack.server.kill();
      expect(await sending).toBeUndefined();
      await stack.server.start();
      const seen = await head(file);
      expect(seen.status).toBe(200);
      expect(seen.offset).toBeGreaterThanOrEqual(acknowledged);
      acknowledged = seen.offset;
      const stored = acknowledged === 0 ? Buffer.alloc(0) : await readFileBytes(platform, file.id);
      expect(stored.equals(content.subarray(0, acknowledged)), `round ${round}`).toBe(true);
    }
    expect(acknowledged).toBeGreaterThan(0);
    await finish(file, content);

    const uploads = { ...platform.config.uploads, ttlHours: -1 };
    // LastModified has seconds.
    await sleep(1100);
    await removeOrphans({ ...platform, config: { ...platform.config, uploads } });
    const known = await platform.db('fileSegments').where({ fileId: file.id }).pluck('key');
    expect(await objectsOf(file)).toEqual(known.sort());
    await expectStored(file, content);
  });
});

describe('a service that is away', () => {
  /** In the middle of an upload: what was acknowledged counts, and the client is told when to come back. */
  async function expectTurnedAway(file: SentFile, offset: number, bytes: Buffer, restMs = 0): Promise<void> {
    const refused = await fetch(file.url, {
      method: 'PATCH',
      headers: {
        ...BYTES,
        authorization: `Bearer ${file.token}`,
        'tus-resumable': '1.0.0',
        'upload-offset': String(offset),
      },
      body: new Uint8Array(bytes),
    });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: 'UNAVAILABLE', status: 503 });
    await sleep(restMs);
    expect(await head(file)).toMatchObject({ status: 200, offset });
  }

  it.skipIf(IS_GIVEN)('costs a retry and no byte when it is stopped and started', async () => {
    const content = randomBytes(20 * MIB);
    const file = at(second, await beginFile(jane, content.length));
    expect((await patch(file, 0, content.subarray(0, MIB))).status).toBe(204);
    const inTheMiddle = new RawPatch(file, MIB, 19 * MIB);
    await inTheMiddle.write(content.subarray(MIB, 6 * MIB));
    await arrived(inTheMiddle.socket);
    await service.kill();
    const begun = performance.now();
    await inTheMiddle.write(content.subarray(6 * MIB));
    await expect.poll(() => inTheMiddle.answer.status, { timeout: 20_000 }).toBe(503);
    // Its connections were refused at once; to wait for each anew would take minutes.
    expect(performance.now() - begun).toBeLessThan(20_000);
    inTheMiddle.drop();

    const again = performance.now();
    const { offset } = await head(file);
    expect(offset).toBeGreaterThanOrEqual(MIB);
    await expectTurnedAway(file, offset, content.subarray(offset, offset + MIB));
    expect(performance.now() - again).toBeLessThan(15_000);
    const ready = () => fetch(`${second.baseUrl}/readyz`).then(({ status }) => status);
    expect(await ready()).toBe(503);

    await service.start();
    await expect.poll(ready, { timeout: 30_000 }).toBe(200);
    await finish(file, content);
  });

  it('is given up when nothing moves, though it holds its connections', async () => {
    const content = randomBytes(2 * MIB);
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content.subarray(0, MIB))).status).toBe(204);
    proxy.hold();
    const begun = performance.now();
    // Rests for as long as the file's lease stays here, and is renewed: what it was taken with must not come back.
    const restMs = 2800;
    await expectTurnedAway(file, MIB, content.subarray(MIB), restMs).finally(() => proxy.release());
    // Five seconds of standstill; the proxy would hold it for ever.
    expect(performance.now() - begun - restMs).toBeLessThan(20_000);
    await finish(file, content);
  });
});

describe('many clients at once', () => {
  it('do not make the server grow while the service is slow', async () => {
    // A server of its own, so that its largest size is that of these requests.
    await stack.server.stop();
    await stack.server.start();
    const content = randomBytes(12 * MIB);
    const files = await Promise.all(Array.from({ length: 40 }, () => beginFile(jane, content.length)));
    proxy.hold();
    // Who is turned away because the service stood still for too long (on a busy machine it may) comes back.
    const sending = Promise.all(files.map((file) => sendRest(file, content, 150_000)));
    const held = () => proxy.seen.some(({ method }) => method === 'PUT');
    proxy.takeMethods();
    await expect.poll(held, { timeout: 60_000 }).toBe(true);
    await sleep(2500);
    proxy.release();
    expect(await sending).toEqual(files.map(() => 12 * MIB));
    expect(peakBytes(stack.server.pid)).toBeLessThan(400 * MIB);
    await expectStored(files[39]!, content);
  });
});

/** The most memory a process has had: `VmHWM` (proc(5)). */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) * KIB;
}
