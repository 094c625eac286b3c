import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findBrokenAuditLink, SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { claim, holdsClaim, releaseClaim } from '@relaypacs/core/db/claims.js';
import { type Database, openDatabase } from '@relaypacs/core/db/database.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { createTransact, type Transact } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, findUpload, insertUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { insertUser } from '@relaypacs/core/db/users.js';
import { StatusChangeRefused } from '@relaypacs/core/domain/upload-status.js';
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
