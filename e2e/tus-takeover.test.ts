import { createHash, randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LEASE_CHANNEL } from '@relaypacs/core/db/file-leases.js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type AddedServer, type Stack, startStack } from './support/stack.js';
import { arrived, beginFile, head, patch, RawPatch, type SentFile } from './support/tus-requests.js';

const KIB = 1024;
/** So much is only read by a request that has its file. */
const STEP = 256 * KIB;
/** What was sent this long ago has arrived on a loopback connection. */
const ARRIVED_MS = 100;

let stack: Stack;
let database: pg.Pool;
/** Three servers of the same database and storage. */
let a: AddedServer;
let b: AddedServer;
let c: AddedServer;
let jane: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  database = new pg.Pool({ connectionString: stack.databaseUrl });
  a = { baseUrl: stack.baseUrl, process: stack.server };
  b = await stack.addServer();
  c = await stack.addServer();
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await database?.end();
  await stack?.stop();
});

const at = (server: AddedServer, file: SentFile): SentFile => ({
  ...file,
  url: `${server.baseUrl}/files/${file.id}`,
});

/** A PATCH of which a part has arrived and the rest does not come. */
async function halfOpen(file: SentFile, offset: number, length: number, bytes: Buffer): Promise<RawPatch> {
  const request = new RawPatch(file, offset, length);
  await request.write(bytes);
  return request;
}

describe('requests that wait for one file', () => {
  it('do not wait for each other when their clients have gone silent (one server)', async () => {
    const content = randomBytes(4 * STEP);
    const file = await beginFile(jane, content.length);
    const first = await halfOpen(file, 0, content.length, content.subarray(0, STEP));
    await arrived(first.socket);
    const silent = [first];
    const blocking = await database.connect();
    await blocking.query('BEGIN');
    // The first one cannot end before all the others wait for it.
    await blocking.query('SELECT FROM upload_files WHERE id = $1 FOR UPDATE', [file.id]);
    const others = [1, 2, 3].map(() => halfOpen(file, STEP, 3 * STEP, content.subarray(STEP, STEP + 10)));
    silent.push(...(await Promise.all(others)));
    await sleep(ARRIVED_MS);
    const answer = head(file);
    await sleep(ARRIVED_MS);
    const begun = performance.now();
    await blocking.query('ROLLBACK');
    blocking.release();
    const seen = await answer;
    expect(seen).toMatchObject({ status: 200 });
    // Their silence would end one after the other, after twenty seconds each.
    expect(performance.now() - begun).toBeLessThan(2000);
    for (const request of silent) request.drop();
    const done = await patch(file, seen.offset, content.subarray(seen.offset));
    expect(done).toMatchObject({ status: 204, offset: content.length });
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('all get it within a second, also when they come to two servers at once', async () => {
    const content = randomBytes(10 * STEP);
    const file = await beginFile(jane, content.length);
    const waits: number[] = [];
    let offset = 0;
    for (let round = 0; round < 10; round += 1, offset += STEP) {
      const silent = await halfOpen(
        at(a, file),
        offset,
        content.length - offset,
        content.subarray(offset, offset + STEP),
      );
      await arrived(silent.socket);
      const answers = await Promise.all([head(at(b, file)), head(at(a, file))]);
      for (const answer of answers) {
        expect(answer, `round ${round}`).toMatchObject({ status: 200, offset: offset + STEP });
        waits.push(answer.ms);
      }
      silent.drop();
    }
    // One slow answer may be the machine's, half of them are not.
    expect(waits.sort((x, y) => x - y)[waits.length / 2]).toBeLessThanOrEqual(1000);
    expect(waits.at(-1)).toBeLessThan(3000);
    expect((await receivedBytes(stack, file.id)).equals(content.subarray(0, offset))).toBe(true);
  });
});

describe('a lease', () => {
  it('that could not be given back does not keep the file from another server', async () => {
    const content = randomBytes(100);
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content.subarray(0, 50))).status).toBe(204);
    const blocking = await database.connect();
    await blocking.query('BEGIN');
    await blocking.query('SELECT FROM file_leases WHERE file_id = $1 FOR UPDATE', [file.id]);
    await database.query('SELECT pg_notify($1, $2)', [LEASE_CHANNEL, `wanted ${file.id}`]);
    // Its connection breaks, and that of the next try, too.
    const breakRelease = async () => {
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE FROM file_leases%'`,
      );
      return a.process.log.includes('A file was not given back');
    };
    await expect.poll(breakRelease, { timeout: 20_000, interval: 20 }).toBe(true);
    await blocking.query('ROLLBACK');
    blocking.release();
    const left = await database.query(
      "SELECT FROM file_leases WHERE file_id = $1 AND expires_at > now() + interval '3 seconds'",
      [file.id],
    );
    expect(left.rows).toHaveLength(1);
    const seen = await head(at(b, file));
    expect(seen).toMatchObject({ status: 200, offset: 50 });
    // Sooner than the lease that was left runs out.
    expect(seen.ms).toBeLessThan(3000);
    expect((await patch(at(b, file), 50, content.subarray(50))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });
});

describe('a server that was frozen', () => {
  /** What lies in the storage of a file, acknowledged or not. */
  async function storedBytes({ id }: SentFile): Promise<number> {
    const folder = path.join(stack.dataDir, 'storage');
    const own = (await readdir(folder)).filter((name) => name.startsWith(id));
    const sizes = own.map(async (name) => (await stat(path.join(folder, name))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  it('writes late where it harms nothing that others acknowledged, even if the next one wrote nothing', async () => {
    const content = randomBytes(1024 * KIB);
    const file = await beginFile(jane, content.length);
    const begun = 256 * KIB;
    expect((await patch(at(c, file), 0, content.subarray(0, begun))).status).toBe(204);
    // With a checksum nothing counts before the end.
    const late = randomBytes(512 * KIB);
    const checksum = `sha1 ${createHash('sha1').update(late).digest('base64')}`;
    const frozen = new RawPatch(at(c, file), begun, late.length, { 'upload-checksum': checksum });
    await frozen.write(late.subarray(0, 128 * KIB));
    await expect.poll(() => storedBytes(file)).toBe(begun + 128 * KIB);
    process.kill(c.process.pid, 'SIGSTOP');
    try {
      void frozen.write(late.subarray(128 * KIB));
      await database.query('UPDATE file_leases SET expires_at = now() WHERE file_id = $1', [file.id]);
      expect(await head(at(b, file))).toMatchObject({ status: 200, offset: begun });
      const appended = await patch(at(a, file), begun, content.subarray(begun, 512 * KIB));
      expect(appended).toMatchObject({ status: 204, offset: 512 * KIB });
    } finally {
      process.kill(c.process.pid, 'SIGCONT');
    }
    await expect.poll(() => frozen.socket.closed || frozen.answer.status > 0, { timeout: 5000 }).toBe(true);
    expect(frozen.answer.status).not.toBe(204);
    frozen.drop();
    expect(await head(at(a, file))).toMatchObject({ status: 200, offset: 512 * KIB });
    expect((await patch(at(a, file), 512 * KIB, content.subarray(512 * KIB))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });
});
