import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ObjectMissing } from '@relaypacs/core/storage/object-storage.js';
import { type S3Settings, S3Storage } from '@relaypacs/core/storage/s3-storage.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KMS_KEY_ID, type Radosgw, startRadosgw } from './support/radosgw.js';
import { S3Proxy } from './support/s3-proxy.js';
import { expectIntact, itKeepsTheContract } from './support/storage-contract.js';
import { fileBytes } from './support/storage-writer.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** A service that is given cannot be stopped, and need not encrypt as Ceph does. */
const GIVEN = process.env.RELAYPACS_TEST_S3_URL !== undefined;
const ENCRYPTION = { mode: 'aws:kms', keyId: KMS_KEY_ID } as const;

let directory: string;
let service: Radosgw;
let settings: S3Settings;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs-storage-'));
  service = await startRadosgw();
  const { endpoint, region, accessKeyId, secretAccessKey } = service;
  settings = {
    bucket: await service.createBucket(),
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    bufferBytes: 32 * MIB,
    ...(!GIVEN && { encryption: ENCRYPTION }),
  };
});
afterAll(async () => {
  await service?.dispose();
  await rm(directory, { recursive: true, force: true });
});

itKeepsTheContract('FileStorage', () => ({ file: { directory, fsync: true } }));
itKeepsTheContract('S3Storage', () => ({ s3: settings }));

describe('S3Storage', () => {
  let proxy: S3Proxy;
  let storage: S3Storage;

  beforeAll(async () => {
    proxy = await S3Proxy.start(service.endpoint);
    storage = new S3Storage({ ...settings, endpoint: proxy.endpoint });
  });
  afterAll(() => proxy.close());

  it('makes one request for an object, and none for nothing', async () => {
    const small = storage.write({ fileId: randomUUID(), offset: 0 });
    for (let offset = 0; offset < 512 * KIB; offset += 64 * KIB)
      await small.append([fileBytes(offset, 64 * KIB)]);
    const segments = await small.sync();
    await small.sync();
    await small.close();
    expect(proxy.takeMethods()).toEqual(['PUT']);

    const key = segments[0]?.key ?? '';
    const object = await storage.open(key, 512 * KIB);
    for (let offset = 0; offset < 200 * KIB; offset += 137) await object.read(offset, 8);
    expect(proxy.takeMethods()).toEqual(['GET']);
    await buffer(object.stream(0, 512 * KIB));
    await object.close();
    expect(proxy.takeMethods()).toEqual(['GET']);

    const patched = { fileId: randomUUID(), segments: [...segments], size: 0 };
    patched.segments.pop();
    for (; patched.size < 20 * MIB; patched.size += MIB) {
      const writer = storage.write({ fileId: patched.fileId, offset: patched.size });
      for (let i = 0; i < 16; i++) await writer.append([fileBytes(patched.size + i * 64 * KIB, 64 * KIB)]);
      patched.segments.push(...(await writer.sync()));
      await writer.close();
    }
    expect(proxy.takeMethods()).toEqual(Array.from({ length: 20 }, () => 'PUT'));
    await expectIntact(storage, patched);
    proxy.takeMethods();

    await storage.write({ fileId: randomUUID(), offset: 0 }).close();
    expect(proxy.takeMethods()).toEqual([]);
  });

  it('keeps using its connections', async () => {
    const writer = storage.write({ fileId: randomUUID(), offset: 0 });
    for (let i = 0; i < 4; i++) {
      await writer.append([fileBytes(i * 3 * MIB, 3 * MIB)]);
      await writer.sync();
    }
    await writer.close();
    const written = proxy.seen.splice(0);
    expect(written).toHaveLength(4);
    expect(written.map(({ headers }) => headers.connection)).toEqual(written.map(() => 'keep-alive'));
    expect(written.map(({ headers }) => headers.expect)).toEqual(written.map(() => undefined));
  });

  it('still has what was appended before the service refused', async () => {
    const file = { fileId: randomUUID(), segments: [], size: 0 };
    const writer = storage.write({ fileId: file.fileId, offset: 0 });
    proxy.refuse = ({ method }) => method === 'PUT';
    const appendAll = async () => {
      for (; file.size < 40 * MIB; file.size += MIB) await writer.append([fileBytes(file.size, MIB)]);
    };
    await expect(appendAll()).rejects.toThrow();
    expect(file.size).toBeGreaterThan(7 * MIB);
    expect(file.size).toBeLessThan(20 * MIB);
    await expect(writer.sync()).rejects.toThrow();
    proxy.refuse = () => false;
    Object.assign(file, { segments: await writer.sync() });
    await writer.close();
    await expectIntact(storage, file);
  });

  it('lets no writer wait for room that a refusing service does not make', async () => {
    proxy.refuse = ({ method }) => method === 'PUT';
    const writers = Array.from({ length: 30 }, () => storage.write({ fileId: randomUUID(), offset: 0 }));
    const failures = await Promise.allSettled(
      writers.map(async (writer) => {
        for (let i = 0; i < 7; i++) await writer.append([fileBytes(0, MIB)]);
      }),
    );
    expect(failures.some(({ status }) => status === 'rejected')).toBe(true);
    proxy.refuse = () => false;
    await Promise.all(writers.map((writer) => writer.close()));

    const file = { fileId: randomUUID(), segments: [], size: 31 * MIB };
    const after = storage.write({ fileId: file.fileId, offset: 0 });
    for (let offset = 0; offset < file.size; offset += MIB) await after.append([fileBytes(offset, MIB)]);
    Object.assign(file, { segments: await after.sync() });
    await after.close();
    await expectIntact(storage, file);
  });

  it('says what is wrong with the bucket', async () => {
    await storage.check();
    const elsewhere = new S3Storage({ ...settings, bucket: 'there-is-no-such-bucket' });
    await expect(elsewhere.check()).rejects.toThrow(
      'bucket there-is-no-such-bucket cannot be used: NotFound',
    );
    const object = await elsewhere.open('some-key', 10);
    const reading = object.read(0, 10);
    await expect(reading).rejects.toThrow();
    await expect(reading).rejects.not.toThrow(ObjectMissing);
  });

  describe.skipIf(GIVEN)('encryption', () => {
    it('is asked for by every write, and reported for every object', async () => {
      proxy.seen.splice(0);
      const writer = storage.write({ fileId: randomUUID(), offset: 0 });
      await writer.append([fileBytes(0, 9 * MIB)]);
      await writer.append([fileBytes(9 * MIB, 100)]);
      const segments = await writer.sync();
      await writer.close();
      await storage.checkSettings();
      const writes = proxy.seen.splice(0).filter(({ method }) => method === 'PUT' || method === 'POST');
      expect(writes).toHaveLength(3);
      for (const { headers } of writes) {
        expect(headers['x-amz-server-side-encryption']).toBe('aws:kms');
        expect(headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe(KMS_KEY_ID);
      }
      const client = new S3Client({ ...connection(settings), forcePathStyle: true });
      for (const { key: Key } of segments) {
        const head = await client.send(new HeadObjectCommand({ Bucket: settings.bucket, Key }));
        expect(head).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: KMS_KEY_ID });
      }
      client.destroy();
    });

    it.each([
      // Ceph 16 takes it, and reports no encryption.
      [{ mode: 'AES256' }, 'reports no encryption'],
      [{ mode: 'aws:kms', keyId: 'no-such-key' }, 'did not take an object'],
      [{ mode: 'aws:kms' }, 'did not take an object'],
    ] as const)('is refused when the service does not do it: %o', async (encryption, reason) => {
      const refused = new S3Storage({ ...settings, encryption }).checkSettings();
      await expect(refused).rejects.toThrow(`S3_SSE asks for ${encryption.mode}`);
      await expect(refused).rejects.toThrow(reason);
    });

    it('leaves no probe behind', async () => {
      const left: string[] = [];
      for await (const key of storage.listKeys(new Date(Date.now() + 60_000))) left.push(key);
      expect(left.filter((key) => key.startsWith('encryption-probe'))).toEqual([]);
    });
  });

  it.skipIf(GIVEN)('goes on when the service was killed in mid-write and is back', async () => {
    const direct = new S3Storage(settings);
    const file = { fileId: randomUUID(), segments: [], size: 24 * MIB };
    const writer = direct.write({ fileId: file.fileId, offset: 0 });
    await writer.append([fileBytes(0, 8 * MIB)]);
    await service.kill();
    await writer.append([fileBytes(8 * MIB, 7 * MIB)]);
    await expect(writer.append([fileBytes(15 * MIB, 9 * MIB)])).rejects.toThrow();
    await expect(writer.sync()).rejects.toThrow();
    await expect(direct.check()).rejects.toThrow('cannot be used');
    const object = await direct.open('some-key', 10);
    const reading = object.read(0, 10);
    await expect(reading).rejects.not.toThrow(ObjectMissing);
    const given = direct.write({ fileId: randomUUID(), offset: 0 });
    await given.append([fileBytes(0, 9 * MIB)]);
    await given.close();

    await service.start();
    await writer.append([fileBytes(15 * MIB, 9 * MIB)]);
    Object.assign(file, { segments: await writer.sync() });
    await writer.close();
    await expectIntact(direct, file);
  });
});

function connection({ endpoint, region, credentials }: S3Settings) {
  return { region, ...(endpoint && { endpoint }), ...(credentials && { credentials }) };
}
