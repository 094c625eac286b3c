import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform } from '@relaypacs/core/platform.js';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { removeOrphans } from '../worker/src/upkeep/remove-orphans.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { KMS_KEY_ID, type Radosgw, startRadosgw } from './support/radosgw.js';
import { IS_GIVEN, openS3Platform, readFileBytes, S3Bucket, s3Variables } from './support/s3-bucket.js';
import { S3Proxy } from './support/s3-proxy.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';
import { BYTES, beginFile, create, head, patch, type SentFile, tusRequest } from './support/tus-requests.js';
import { cut, joinSlices, sendSlice } from './support/tus-slices.js';

const KIB = 1024;
const MIB = 1024 * KIB;

let service: Radosgw;
let bucketName: string;
let bucket: S3Bucket;
/** Between the server and the service; the worker and the tests go past it. */
let proxy: S3Proxy;
let orthanc: Orthanc;
let stack: Stack;
let platform: Platform;
let jane: ApiClient;

beforeAll(async () => {
  [service, orthanc] = await Promise.all([startRadosgw(), startOrthanc()]);
  bucketName = await service.createBucket();
  bucket = new S3Bucket(service, bucketName);
  proxy = await S3Proxy.start(service.endpoint);
  const env = { ...s3Variables(service, bucketName, proxy.endpoint), ...pacsVariables(orthanc) };
  stack = await startStack({ worker: false, env });
  await stack.addWorker({ S3_ENDPOINT: service.endpoint });
  platform = await openS3Platform(stack, s3Variables(service, bucketName), { BYTES_GRACE_HOURS: '0' });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await proxy?.close();
  bucket?.close();
  await orthanc?.dispose();
  await service?.dispose();
});

const settled = (id: string) =>
  jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status), 60_000);
const sha256 = (bytes: Uint8Array) => `sha256 ${createHash('sha256').update(bytes).digest('base64')}`;

describe('a study whose bytes lie in a bucket', () => {
  it('arrives in the PACS byte for byte: small files, an empty one, and 60 MiB in one request', async () => {
    const small = makeStudy(6);
    const large = makeStudy(1, { rows: 5700, columns: 5600 });
    const [slice] = large.files as [Uint8Array];
    expect(slice.length).toBeGreaterThan(60 * MIB);
    const files = [...small.files, new Uint8Array()];
    const totalBytes = [...files, slice].reduce((sum, { length }) => sum + length, 0);
    const upload = await jane.announce({ fileCount: files.length + 1, totalBytes });
    for (const [i, file] of files.entries()) {
      const sum = { 'upload-checksum': sha256(file) };
      expect((await jane.createFile(upload, file, `IM${i}.dcm`, sum)).status).toBe(201);
    }
    const length = { 'upload-length': String(slice.length) };
    const { file } = await create(stack.baseUrl, upload.uploadToken, length);
    expect(await patch(file, 0, slice)).toMatchObject({ status: 204, offset: slice.length });
    expect(await settled(upload.id)).toMatchObject({
      status: 'delivered',
      filesRejected: 1,
      instances: { total: 7, verified: 7 },
    });
    expect(await orthancDigests(orthanc, small.studyInstanceUid)).toEqual(small.digests);
    expect(await orthancDigests(orthanc, large.studyInstanceUid)).toEqual(large.digests);
  });

  it.each([
    ['in chunks', { chunkSize: 100_000 }],
    ['in four slices at once', { chunkSize: 100_000, parallelUploads: 4 }],
  ])('arrives from tus-js-client %s', async (_how, options) => {
    const study = makeStudy(2, { rows: 512, columns: 600 });
    const totalBytes = study.files.reduce((sum, { length }) => sum + length, 0);
    const upload = await jane.announce({ fileCount: 2, totalBytes });
    const send = (file: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        new TusUpload(Buffer.from(file), {
          endpoint: upload.tusEndpoint,
          headers: { Authorization: `Bearer ${upload.uploadToken}` },
          ...options,
          onSuccess: () => resolve(),
          onError: reject,
        }).start();
      });
    await Promise.all(study.files.map(send));
    expect(await settled(upload.id)).toMatchObject({ status: 'delivered', instances: { verified: 2 } });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });
});

describe('requests to the bucket', () => {
  beforeEach(() => void proxy.takeMethods());

  it('are one for a file of 512 KiB that is sent in one request', async () => {
    const content = randomBytes(512 * KIB);
    const upload = await jane.announce({ totalBytes: content.length });
    expect((await jane.createFile(upload, content, 'a')).status).toBe(201);
    expect(proxy.takeMethods()).toEqual(['PUT']);
  });

  it('are one for each PATCH, and none for questions', async () => {
    const content = randomBytes(20 * MIB);
    const file = await beginFile(jane, content.length);
    for (let at = 0; at < content.length; at += MIB) {
      expect((await head(file)).offset).toBe(at);
      const bytes = content.subarray(at, at + MIB);
      const answer = await patch(file, at, bytes, { 'upload-checksum': sha256(bytes) });
      expect(answer).toMatchObject({ status: 204, offset: at + MIB });
    }
    expect((await head(file)).offset).toBe(content.length);
    expect(proxy.takeMethods()).toEqual(Array(20).fill('PUT'));
    expect((await readFileBytes(platform, file.id)).equals(content)).toBe(true);
  });

  it('are none for an empty file, a refused request, and a file that was only begun', async () => {
    const file = await beginFile(jane, MIB);
    expect((await patch(file, 5, randomBytes(10))).status).toBe(409);
    const upload = await jane.announce({ totalBytes: 1 });
    expect((await jane.createFile(upload, new Uint8Array(), 'empty')).status).toBe(201);
    expect(proxy.takeMethods()).toEqual([]);
  });

  it('are none for joining slices', async () => {
    const content = randomBytes(4 * MIB);
    const upload = await jane.announce({ totalBytes: content.length });
    const slices: SentFile[] = [];
    for (const bytes of cut(content, 4)) {
      slices.push(await sendSlice(stack.baseUrl, upload.uploadToken, bytes));
    }
    expect(proxy.takeMethods()).toEqual(Array(4).fill('PUT'));
    const urls = slices.map(({ url }) => url);
    const joined = await joinSlices(stack.baseUrl, upload.uploadToken, urls);
    expect(joined.status).toBe(201);
    expect(proxy.takeMethods()).toEqual([]);
    expect((await readFileBytes(platform, joined.file.id)).equals(content)).toBe(true);
  });
});

describe('the start of a server', () => {
  const SECRET = 'not-the-secret-of-anybody';

  /** How servers with these variables on top end, and what they say. */
  const failedStarts = (...wrong: Record<string, string>[]) =>
    Promise.all(
      wrong.map((variables) =>
        stack.addServer(variables).then(
          () => 'It started.',
          (error: Error) => error.message,
        ),
      ),
    );

  it('ends with 78 and a sentence when the settings are wrong, and never with a secret', async () => {
    const said = await failedStarts(
      { S3_BUCKET: 'there-is-none-of-that-name' },
      { AWS_ACCESS_KEY_ID: 'unknown' },
      { AWS_SECRET_ACCESS_KEY: SECRET },
      { S3_ENDPOINT: stack.baseUrl },
    );
    expect(said).toEqual([
      expect.stringMatching(/^S3_BUCKET is "there-is-none-of-that-name", but .* no such bucket/m),
      expect.stringMatching(/^AWS_ACCESS_KEY_ID is not a key/m),
      expect.stringMatching(/^AWS_SECRET_ACCESS_KEY is not the secret/m),
      expect.stringMatching(/^S3_ENDPOINT must be an S3 service/m),
    ]);
    for (const words of said) {
      expect(words).toContain('ended with 78 ');
      expect(words).not.toContain(SECRET);
      expect(words).not.toContain(service.secretAccessKey);
    }
  });

  it('ends with 1 and a sentence when the service is away', async () => {
    const said = await failedStarts(
      { S3_ENDPOINT: 'http://127.0.0.1:9' },
      { S3_ENDPOINT: `http://user:${SECRET}@s3.invalid` },
    );
    expect(said).toEqual([
      expect.stringContaining('S3 service at http://127.0.0.1:9 does not work just now'),
      expect.stringContaining('S3 service at http://s3.invalid does not work just now'),
    ]);
    for (const words of said) {
      expect(words).toContain('ended with 1 ');
      expect(words).toContain('correct S3_ENDPOINT');
      expect(words).not.toContain(SECRET);
      expect(words).not.toContain(service.secretAccessKey);
    }
  });

  it.skipIf(IS_GIVEN)('ends with 78 when the service does not encrypt as asked', async () => {
    const said = await failedStarts({ S3_SSE: 'AES256' }, { S3_KMS_KEY_ID: 'unknown' });
    expect(said).toEqual([
      expect.stringMatching(/ended with 78 [\s\S]*^S3_SSE asks for AES256, but .* no encryption/m),
      expect.stringMatching(/ended with 78 [\s\S]*^S3_SSE asks for aws:kms, but .* S3_KMS_KEY_ID/m),
    ]);
  });

  it('works with S3_SSE=none, and leaves no probe behind', async () => {
    const before = await bucket.contents();
    const server = await stack.addServer({ S3_SSE: 'none' });
    await server.process.stop();
    expect(await bucket.contents()).toEqual(before);
    expect(before.filter((key) => key.startsWith('encryption'))).toEqual([]);
  });
});

describe.skipIf(IS_GIVEN)('encryption', () => {
  it('is asked for with every object, and reported for every one', async () => {
    proxy.seen.splice(0);
    const content = randomBytes(17 * MIB);
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content)).status).toBe(204);
    const writes = proxy.seen.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
    expect(writes.length).toBeGreaterThan(2);
    for (const { headers } of writes) {
      expect(headers['x-amz-server-side-encryption']).toBe('aws:kms');
      expect(headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe(KMS_KEY_ID);
    }
    const keys = await bucket.contents();
    expect(keys.length).toBeGreaterThan(30);
    for (const key of keys) {
      expect(await bucket.encryptionOf(key)).toEqual({ mode: 'aws:kms', keyId: KMS_KEY_ID });
    }
  });
});

describe('what nobody needs any more', () => {
  const half = { 'upload-length': String(2 * MIB), ...BYTES };

  it('is removed with a deleted file and a cancelled upload', async () => {
    const before = await bucket.contents();
    for (const remove of [
      ({ url }: SentFile) => tusRequest('DELETE', url, jane.token!),
      (_file: SentFile, id: string) => jane.request('DELETE', `/api/v1/uploads/${id}`),
    ]) {
      const upload = await jane.announce({ totalBytes: 2 * MIB });
      const { file } = await create(stack.baseUrl, upload.uploadToken, half, randomBytes(MIB));
      expect(await bucket.contents()).toHaveLength(before.length + 1);
      expect((await remove(file, upload.id)).status).toBe(204);
      await removeBytesOfCancelled();
      expect(await bucket.contents()).toEqual(before);
    }
  });

  it('is removed of an upload that was not finished in time', async () => {
    const before = await bucket.contents();
    const hasty = await stack.addServer({ UPLOAD_TTL_HOURS: '0.001', S3_ENDPOINT: service.endpoint });
    const late = ApiClient.anonymous(hasty.baseUrl);
    late.token = jane.token;
    const upload = await late.announce({ totalBytes: 2 * MIB });
    const { file } = await create(hasty.baseUrl, upload.uploadToken, half, randomBytes(MIB));
    expect(await bucket.contents()).toHaveLength(before.length + 1);
    // The worker that runs may be the one that ends it.
    await expect
      .poll(() => expireUploads(platform).then(() => jane.upload(upload.id)), { timeout: 30_000 })
      .toMatchObject({ status: 'expired' });
    await removeBytes(platform, 0);
    await expect.poll(() => bucket.contents()).not.toContainEqual(expect.stringMatching(`^${file.id}`));
    // Its own token is not valid any longer than the upload.
    expect((await head({ ...file, token: jane.token! })).status).toBe(410);
    await hasty.process.stop();
  });

  it('is removed when no row knows it and it is old enough; what is known, young or foreign is not', async () => {
    const upload = await jane.announce({ totalBytes: 2 * MIB });
    const { file } = await create(stack.baseUrl, upload.uploadToken, half, randomBytes(MIB));
    const orphan = `${file.id}-0123456789abcdef`;
    await bucket.put(orphan, 'left behind');
    await bucket.put('foreign/object.txt', 'not ours');
    const before = await bucket.contents();
    const olderThan = (seconds: number) => {
      const uploads = { ...platform.config.uploads, ttlHours: seconds / 3600 - 1 };
      return { ...platform, config: { ...platform.config, uploads } };
    };
    expect(await removeOrphans(olderThan(3600))).toBe(0);
    await sleep(1500);
    const young = `${file.id}-fedcba9876543210`;
    await bucket.put(young, 'on its way');
    expect(await removeOrphans(olderThan(1.2))).toBe(1);
    expect(await bucket.contents()).toEqual([...before.filter((key) => key !== orphan), young].sort());
    expect((await patch(file, MIB, randomBytes(MIB))).status).toBe(204);
  });

  it('is all gone after the grace time: the bucket is as empty as it was', async () => {
    await platform.db('uploads').whereNotIn('status', ['delivered', 'rejected']).update({
      status: 'cancelled',
      endedAt: new Date(),
    });
    await removeBytes(platform, 0);
    expect((await bucket.contents()).filter((key) => !/^foreign|-fedcba9876543210$/.test(key))).toEqual([]);
  });

  async function removeBytesOfCancelled(): Promise<void> {
    const { config } = platform;
    const patient = { ...config, uploads: { ...config.uploads, graceHours: 24 } };
    await removeBytes({ ...platform, config: patient }, 0);
  }
});
