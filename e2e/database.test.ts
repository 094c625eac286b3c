import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { findBrokenAuditLink, SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { claim, holdsClaim, releaseClaim } from '@relaypacs/core/db/claims.js';
import { type Database, openDatabase } from '@relaypacs/core/db/database.js';
import { releaseLeases, renewLeases, takeLease } from '@relaypacs/core/db/file-leases.js';
import { findFilePlaces } from '@relaypacs/core/db/file-segments.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { insertUploadFile } from '@relaypacs/core/db/new-upload-files.js';
import { createTransact, type Transact } from '@relaypacs/core/db/unit-of-work.js';
import { findUploadFile } from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, findUpload, insertUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { insertUser } from '@relaypacs/core/db/users.js';
import { StatusChangeRefused } from '@relaypacs/core/domain/upload-status.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import { ObjectMissing } from '@relaypacs/core/storage/object-storage.js';
import { createUploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import knexFactory from 'knex';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { knexConfig, migrate } from '../scripts/migrate.js';

let dataDir: string;
let postgres: EmbeddedPostgres;
let db: Database;
let transact: Transact;
let userId: string;
const published: string[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'relaypacs-database-'));
  postgres = await startEmbeddedPostgres({ dataDir });
  await migrate(postgres.url);
  db = openDatabase(postgres.url, 8);
  transact = createTransact(db, {
    jobsWritten: () => published.push('jobs'),
    publish: (events) => published.push(...events.map(({ status }) => status)),
  });
  userId = newId();
  await insertUser(db, {
    id: userId,
    username: 'jane',
    email: 'jane@example.org',
    passwordHash: '-',
    fullName: null,
    facility: null,
    role: 'Clinician',
    status: 'active',
  });
});
afterAll(async () => {
  await db?.destroy();
  await postgres?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function makeUpload(): Promise<UploadRow> {
  return insertUpload(db, {
    id: newId(),
    userId,
    status: 'created',
    serviceLevel: 'stat',
    patientName: 'Doe^Jane',
    patientId: null,
    patientBirthDate: '1980-02-03',
    patientSex: null,
    studyDate: '2026-01-02',
    modality: 'CT',
    studyDescription: null,
    clinicalHistory: null,
    studyInstanceUid: null,
    fileCount: 1,
    totalBytes: 5_000_000_000,
    dedupeKey: Buffer.alloc(32),
    expiresAt: new Date(Date.now() + 3_600_000),
  });
}

describe('the database', () => {
  it('gives sizes as numbers and dates as they were, whatever the time zone', async () => {
    const { id } = await makeUpload();
    expect(await findUpload(db, id)).toMatchObject({
      totalBytes: 5_000_000_000,
      studyDate: '2026-01-02',
      patientBirthDate: '1980-02-03',
    });
  });

  it('goes all the way down and up again', async () => {
    const other = await mkdtemp(path.join(tmpdir(), 'relaypacs-migrations-'));
    const fresh = await startEmbeddedPostgres({ dataDir: other });
    const knex = knexFactory(knexConfig(fresh.url));
    try {
      const first = await migrate(fresh.url);
      expect(first.length).toBeGreaterThan(0);
      await knex.migrate.rollback(undefined, true);
      const left = await knex('information_schema.tables')
        .where({ table_schema: 'public' })
        .pluck('table_name');
      expect(left.filter((name: string) => !name.startsWith('knex_'))).toEqual([]);
      expect(await migrate(fresh.url)).toEqual(first);
    } finally {
      await knex.destroy();
      await fresh.stop();
      await rm(other, { recursive: true, force: true });
    }
  });
});

describe('early delivery', () => {
  it('leaves behind what the PACS has of uploads that ended, when it is taken out', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'relaypacs-migrations-'));
    const fresh = await startEmbeddedPostgres({ dataDir: folder });
    const knex = knexFactory(knexConfig(fresh.url));
    try {
      const names = await migrate(fresh.url);
      const ofUser = { id: newId(), username: 'jane', email: 'jane@example.org', password_hash: '-' };
      await knex('users').insert({ ...ofUser, role: 'Clinician', status: 'active' });
      for (const status of ['uploading', 'processing', 'expired', 'failed']) {
        const id = newId();
        await knex('uploads').insert({
          id,
          user_id: ofUser.id,
          status,
          service_level: 'stat',
          patient_name: 'Doe^Jane',
          study_date: '2026-01-02',
          modality: 'CT',
          file_count: 1,
          total_bytes: 1,
          dedupe_key: Buffer.alloc(32),
          expires_at: new Date(),
        });
        const study = {
          id: newId(),
          upload_id: id,
          study_instance_uid: '1.2.3',
          target: 'default',
          status: 'failed',
        };
        await knex('studies').insert({
          ...study,
          early_delivery: 'stopped',
          modalities: [],
          series_count: 1,
        });
      }
      for (const name of [...names].reverse()) {
        await knex.migrate.down({ name });
        if (name.endsWith('_early_delivery.ts')) break;
      }
      const left = await knex('studies')
        .join('uploads', 'uploads.id', 'studies.upload_id')
        .pluck('uploads.status');
      expect(left.sort()).toEqual(['expired', 'failed']);
    } finally {
      await knex.destroy();
      await fresh.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('files from before their segments were recorded', () => {
  it('are read byte for byte; only those whose bytes are still there, and only what had arrived', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'relaypacs-migrations-'));
    const old = await startEmbeddedPostgres({ dataDir: folder });
    const knex = knexFactory(knexConfig(old.url));
    const migrated = openDatabase(old.url, 2);
    try {
      let last: string | undefined;
      while (last !== '202611210500_job_outbox.ts') {
        const [, names]: [number, string[]] = await knex.migrate.up();
        last = names[0];
      }
      const content = randomBytes(300_000);
      const ofUser = { id: newId(), username: 'jane', email: 'jane@example.org', password_hash: '-' };
      await knex('users').insert({ ...ofUser, role: 'Clinician', status: 'active' });
      const addFile = async (status: string, size: number, upload: Record<string, unknown>) => {
        const [uploadId, fileId] = [newId(), newId()];
        await knex('uploads').insert({
          id: uploadId,
          user_id: ofUser.id,
          service_level: 'stat',
          patient_name: 'Doe^Jane',
          study_date: '2026-01-02',
          modality: 'CT',
          file_count: 1,
          total_bytes: size,
          dedupe_key: Buffer.alloc(32),
          expires_at: new Date(Date.now() + 3_600_000),
          ...upload,
        });
        await knex('upload_files').insert({ id: fileId, upload_id: uploadId, filename: 'a', status, size });
        return fileId;
      };
      const received = await addFile('received', content.length, { status: 'received' });
      const empty = await addFile('received', 0, { status: 'received' });
      const underWay = await addFile('uploading', content.length, { status: 'uploading' });
      const removed = await addFile('accepted', content.length, {
        status: 'delivered',
        bytes_removed_at: new Date(),
      });
      const directory = path.join(folder, 'storage');
      await mkdir(directory);
      await writeFile(path.join(directory, received), content);
      await writeFile(path.join(directory, underWay), content.subarray(0, 1000));

      expect((await migrate(old.url))[0]).toBe('202611220100_file_bytes.ts');

      const files = createUploadedFiles(migrated, new FileStorage({ directory, fsync: false }));
      const read = async (fileId: string) => {
        const file = await files.open(fileId);
        const bytes = await buffer(file.stream(0, file.size));
        await file.close();
        return bytes;
      };
      expect((await read(received)).equals(content)).toBe(true);
      expect(await read(empty)).toHaveLength(0);
      await expect(read(removed)).rejects.toThrow(ObjectMissing);
      expect((await findFilePlaces(migrated, [removed])).get(removed)?.segments).toEqual([]);
      // Its client is told to begin again.
      expect(await findUploadFile(migrated, underWay)).toMatchObject({ bytesReceived: 0 });
      expect(await read(underWay)).toHaveLength(0);
    } finally {
      await Promise.all([knex.destroy(), migrated.destroy()]);
      await old.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a status change', () => {
  it('is written with its audit event and announced after the commit', async () => {
    const { id } = await makeUpload();
    published.length = 0;
    await transact((unit) =>
      changeUploadStatus(unit, { uploadId: id, to: 'uploading', actor: SYSTEM_ACTOR }),
    );
    expect(await findUpload(db, id)).toMatchObject({ status: 'uploading' });
    expect(await db('auditEvents').where({ objectId: id }).pluck('action')).toEqual(['upload.uploading']);
    expect(published).toEqual(['uploading']);
  });

  it('that the table does not have is refused and leaves nothing behind', async () => {
    const { id } = await makeUpload();
    published.length = 0;
    const change = transact(async (unit) => {
      await changeUploadStatus(unit, { uploadId: id, to: 'cancelled', actor: SYSTEM_ACTOR });
      await changeUploadStatus(unit, { uploadId: id, to: 'delivered', actor: SYSTEM_ACTOR });
    });
    await expect(change).rejects.toThrow(StatusChangeRefused);
    expect(await findUpload(db, id)).toMatchObject({ status: 'created' });
    expect(await db('auditEvents').where({ objectId: id })).toEqual([]);
    expect(published).toEqual([]);
  });
});

describe('the audit trail', () => {
  it('is one unbroken chain, also when many write at once', async () => {
    const uploads = await Promise.all(Array.from({ length: 20 }, makeUpload));
    await Promise.all(
      uploads.map(({ id }) =>
        transact((unit) => changeUploadStatus(unit, { uploadId: id, to: 'uploading', actor: SYSTEM_ACTOR })),
      ),
    );
    expect(await findBrokenAuditLink(db)).toBeUndefined();
  });

  it('cannot be changed, shortened or emptied, and shows where somebody with more power did', async () => {
    for (const sql of [
      `UPDATE audit_events SET action = 'x' WHERE seq = 3`,
      'DELETE FROM audit_events WHERE seq = 3',
      'TRUNCATE audit_events',
    ]) {
      await expect(Promise.resolve(db.raw(sql))).rejects.toThrow(/append-only/);
    }
    await db.raw('ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only');
    await db.raw(`UPDATE audit_events SET action = 'upload.forged' WHERE seq = 3`);
    expect(await findBrokenAuditLink(db)).toBe(3);
  });
});

describe('a claim', () => {
  it('belongs to one holder, can be renewed by it, and is free after its time', async () => {
    const { id } = await makeUpload();
    const [first, second] = [newId(), newId()];
    expect(await claim(db, 'uploads', id, first, 60)).toBe(true);
    expect(await claim(db, 'uploads', id, second, 60)).toBe(false);
    expect(await claim(db, 'uploads', id, first, 0)).toBe(true);
    expect(await claim(db, 'uploads', id, second, 60)).toBe(true);
    expect(await db.transaction((trx) => holdsClaim(trx, 'uploads', id, first))).toBe(false);
    await releaseClaim(db, 'uploads', id, first);
    expect(await db.transaction((trx) => holdsClaim(trx, 'uploads', id, second))).toBe(true);
  });
});

describe('leases', () => {
  const SECONDS = 10;

  async function makeFiles(count: number): Promise<string[]> {
    const { id: uploadId } = await makeUpload();
    const fileIds = Array.from({ length: count }, newId);
    const unnamed = { clientId: null, relativePath: null, filetype: null, tusMetadata: null };
    for (const id of fileIds) {
      await insertUploadFile(db, { ...unnamed, id, uploadId, filename: 'a', size: 10, isPartial: false });
    }
    return fileIds;
  }

  it('that a process renews are those it knows of; another, whose release failed, runs out', async () => {
    const [known, unknown] = (await makeFiles(2)) as [string, string];
    const [holder, other] = [newId(), newId()];
    for (const fileId of [known, unknown]) await takeLease(db, fileId, holder, 1);
    const renewed = await renewLeases(db, holder, [known], SECONDS);
    expect(renewed.map(({ fileId }) => fileId)).toEqual([known]);
    // Without this lock the holder would count as dead, and both files as free at once.
    const alive = await db.transaction();
    try {
      await alive.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [holder]);
      await expect.poll(() => takeLease(db, unknown, other, SECONDS), { timeout: 3000 }).toBeDefined();
      expect(await takeLease(db, known, other, SECONDS)).toBeUndefined();
    } finally {
      await alive.rollback();
    }
  });

  it('are renewed and given back at the same time, many at once, without a deadlock', async () => {
    const fileIds = await makeFiles(150);
    const holder = newId();
    const until = Date.now() + 3000;
    const renewing = async () => {
      while (Date.now() < until) await renewLeases(db, holder, fileIds, SECONDS);
    };
    let released = 0;
    const releasing = async () => {
      while (Date.now() < until) {
        const taken = await Promise.all(fileIds.map((fileId) => takeLease(db, fileId, holder, SECONDS)));
        const leases = taken.flatMap((lease) =>
          lease ? [{ fileId: lease.file.id, token: lease.token }] : [],
        );
        await releaseLeases(
          db,
          leases.sort(() => Math.random() - 0.5),
        );
        released += leases.length;
      }
    };
    const outcomes = await Promise.allSettled([renewing(), releasing()]);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(released).toBeGreaterThan(fileIds.length);
  });
});
