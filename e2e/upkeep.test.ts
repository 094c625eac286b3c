import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadConfig } from '@relaypacs/core/config.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { removeOrphans } from '../worker/src/upkeep/remove-orphans.js';
import { sweepStranded } from '../worker/src/upkeep/sweep-stranded.js';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';

let stack: Stack;
let platform: Platform;
let jane: ApiClient;

beforeAll(async () => {
  // Uploads expire after 3.6 seconds here; ended ones keep their bytes for an hour.
  stack = await startStack({ worker: false, env: { UPLOAD_TTL_HOURS: '0.001' } });
  jane = await ApiClient.signUp(stack.baseUrl);
  const config = loadConfig({
    DATABASE_URL: stack.databaseUrl,
    DATA_DIR: stack.dataDir,
    BYTES_GRACE_HOURS: '1',
    UPLOAD_TTL_HOURS: '0.5',
  });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
});

/** The object of a file of one request. */
async function objectOf(location: string | null): Promise<string | undefined> {
  const folder = path.join(stack.dataDir, 'storage');
  const id = String(location?.split('/').at(-1));
  const name = (await readdir(folder)).find((each) => each.startsWith(id));
  return name === undefined ? undefined : path.join(folder, name);
}

const isStored = async (location: string | null) => (await objectOf(location)) !== undefined;

it('ends uploads that were not finished in time and removes their bytes, but never those of a received one', async () => {
  const late = await jane.announce();
  const half = await jane.createFile(late, new Uint8Array(5), 'half', { 'upload-length': '10' });
  const done = await jane.announce();
  const whole = await jane.createFile(done, new Uint8Array(5), 'whole');
  await expect.poll(() => expireUploads(platform), { timeout: 30_000 }).toBe(1);
  expect(await jane.upload(late.id)).toMatchObject({
    status: 'expired',
    problem: { code: 'UPLOAD_EXPIRED' },
  });
  expect((await jane.createFile(late, new Uint8Array(5), 'more')).status).toBeGreaterThanOrEqual(400);
  expect(await removeBytes(platform, 0)).toBe(1);
  expect(await isStored(half.headers.get('location'))).toBe(false);
  expect(await jane.upload(done.id)).toMatchObject({ status: 'received' });
  expect(await isStored(whole.headers.get('location'))).toBe(true);
  expect(await removeBytes(platform, 0)).toBe(0);
});

it('keeps the bytes of delivered and rejected uploads for the grace time, and those of failed ones for good', async () => {
  const locations: Array<string | null> = [];
  for (const status of ['delivered', 'rejected', 'failed']) {
    const upload = await jane.announce();
    locations.push((await jane.createFile(upload, new Uint8Array(5), status)).headers.get('location'));
    await platform.db('uploads').where({ id: upload.id }).update({ status, endedAt: new Date() });
  }
  expect(await removeBytes(platform, 0)).toBe(0);
  const beforeGrace = new Date(Date.now() - 2 * 3_600_000);
  await platform
    .db('uploads')
    .whereIn('status', ['delivered', 'rejected', 'failed'])
    .update({ endedAt: beforeGrace });
  expect(await removeBytes(platform, 0)).toBe(2);
  expect(await Promise.all(locations.map(isStored))).toEqual([false, false, true]);
});

it('queues again what nobody works on, and leaves alone what somebody does or what is not due yet', async () => {
  const upload = await jane.announce();
  await jane.createFile(upload, new Uint8Array(5), 'a');
  const row = () => platform.db('uploads').where({ id: upload.id });
  await platform
    .db('uploads')
    .whereNot({ id: upload.id })
    .update({ updatedAt: new Date(), status: 'cancelled' });
  expect(await sweepStranded(platform)).toBe(0);
  const longAgo = new Date(Date.now() - 60_000);
  await row().update({ updatedAt: longAgo });
  expect(await sweepStranded(platform)).toBe(1);
  await row().update({ nextAttemptAt: new Date(Date.now() + 60_000) });
  expect(await sweepStranded(platform)).toBe(0);
  await row().update({
    nextAttemptAt: longAgo,
    claimedBy: upload.id,
    claimExpiresAt: new Date(Date.now() + 60_000),
  });
  expect(await sweepStranded(platform)).toBe(0);
  await row().update({ claimExpiresAt: longAgo });
  expect(await sweepStranded(platform)).toBe(1);
});

it('removes old bytes that no record refers to, and nothing else', async () => {
  const upload = await jane.announce();
  const location = (await jane.createFile(upload, new Uint8Array(5), 'known')).headers.get('location');
  const folder = path.join(stack.dataDir, 'storage');
  const orphan = path.join(folder, '0199a0a0-0000-7000-8000-000000000000-0123456789abcdef');
  const young = path.join(folder, '0199a0a0-0000-7000-8000-000000000001-0123456789abcdef');
  for (const file of [orphan, young]) await writeFile(file, 'left behind');
  const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
  for (const file of [orphan, await objectOf(location)]) {
    await utimes(file!, twoHoursAgo, twoHoursAgo);
  }
  expect(await removeOrphans(platform)).toBe(1);
  expect(await isStored(orphan)).toBe(false);
  expect(await isStored(young)).toBe(true);
  expect(await isStored(location)).toBe(true);
});

it('goes on with the other uploads when the bytes of one cannot be removed', async () => {
  const [stuck, fine] = [await jane.announce(), await jane.announce()];
  const locations = [];
  for (const upload of [stuck, fine]) {
    locations.push((await jane.createFile(upload, new Uint8Array(5), 'a')).headers.get('location'));
    await platform
      .db('uploads')
      .where({ id: upload.id })
      .update({ status: 'cancelled', endedAt: new Date() });
  }
  const obstacle = (await objectOf(locations[0]!))!;
  await rm(obstacle);
  await mkdir(obstacle);
  await removeBytes(platform, 0);
  expect(await isStored(locations[1]!)).toBe(false);
  const emptied = await platform.db('uploads').whereIn('id', [stuck.id, fine.id]).orderBy('id');
  expect(emptied.map(({ bytesRemovedAt }) => bytesRemovedAt !== null)).toEqual([false, true]);
  await rm(obstacle, { recursive: true });
  expect(await removeBytes(platform, 0)).toBeGreaterThan(0);
});

it('goes on with the other uploads when one cannot be ended', async () => {
  const [stuck, fine] = [await jane.announce(), await jane.announce()];
  await platform
    .db('uploads')
    .whereIn('id', [stuck.id, fine.id])
    .update({ expiresAt: new Date(0) });
  await platform.db.raw(
    `ALTER TABLE uploads ADD CONSTRAINT stuck CHECK (id <> '${stuck.id}' OR status <> 'expired')`,
  );
  await expireUploads(platform);
  expect((await jane.upload(fine.id)).status).toBe('expired');
  expect((await jane.upload(stuck.id)).status).toBe('created');
  await platform.db.raw('ALTER TABLE uploads DROP CONSTRAINT stuck');
  await expireUploads(platform);
  expect((await jane.upload(stuck.id)).status).toBe('expired');
});
