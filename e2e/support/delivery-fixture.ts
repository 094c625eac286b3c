/**
 * Studies ready for delivery and a stand-in for the queue, for tests of delivery: the rows and bytes that intake
 * leaves behind, made by code.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TARGET, type PacsTarget } from '@relaypacs/core/config-targets.js';
import type { RelayEvent } from '@relaypacs/core/contract/events.js';
import type { QueuedJob } from '@relaypacs/core/contract/jobs.js';
import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { type Database, openDatabase } from '@relaypacs/core/db/database.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { type InstanceRow, insertInstances, listInstances } from '@relaypacs/core/db/instances.js';
import { takeOutboxJobs } from '@relaypacs/core/db/job-outbox.js';
import { insertUploadFile } from '@relaypacs/core/db/new-upload-files.js';
import { findStudy, insertStudy, type StudyRow } from '@relaypacs/core/db/studies.js';
import { createTransact, type Transact } from '@relaypacs/core/db/unit-of-work.js';
import { findUpload, insertUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { buildDicom, newUid, type SliceOptions } from '@relaypacs/core/dicom/testing/build.js';
import { createLogger, type Logger } from '@relaypacs/core/observability/logger.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import { createUploadedFiles, type UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { startEmbeddedPostgres } from '../../scripts/embedded-postgres.js';
import { migrate } from '../../scripts/migrate.js';
import { Circuits } from '../../worker/src/delivery/circuits.js';
import { type DeliveryDeps, deliverStudy } from '../../worker/src/delivery/deliver-study.js';
import type { DeliveryMetrics } from '../../worker/src/delivery/delivery-metrics.js';
import { PacsAccesses } from '../../worker/src/delivery/pacs-access.js';
import { RowClaim } from '../../worker/src/row-claim.js';

export interface TestObject {
  sopInstanceUid: string;
  bytes: Uint8Array;
}

export interface TestStudy {
  studyId: string;
  uploadId: string;
  studyInstanceUid: string;
  seriesInstanceUid: string;
  objects: TestObject[];
}

export interface LogLine {
  level: string;
  message: string;
  [key: string]: unknown;
}

const NO_METRICS: DeliveryMetrics = { ended: () => {}, probed: () => {}, circuit: () => {} };

/** A database, a storage and one or more workers that deliver from it. */
export class DeliveryFixture {
  readonly db: Database;
  readonly transact: Transact;
  readonly directory: string;
  readonly storage: FileStorage;
  readonly files: UploadedFiles;
  readonly logger: Logger;
  readonly log: LogLine[] = [];
  readonly events: RelayEvent[] = [];
  private readonly stopping = new AbortController();
  private readonly pacsAccesses = new PacsAccesses();
  private userId: string | undefined;
  private cleanUp = async (): Promise<void> => {};

  /** One with a database and a folder of its own. */
  static async start(name: string): Promise<DeliveryFixture> {
    const directory = await mkdtemp(path.join(tmpdir(), `relaypacs-${name}-`));
    const postgres = await startEmbeddedPostgres({ dataDir: path.join(directory, 'data') });
    await migrate(postgres.url);
    const fixture = new DeliveryFixture(postgres.url, directory);
    fixture.cleanUp = async () => {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    };
    return fixture;
  }

  /** @param directory - an existing folder for the bytes */
  constructor(databaseUrl: string, directory: string) {
    this.db = openDatabase(databaseUrl, 10);
    // Every delivery under way listens.
    setMaxListeners(0, this.stopping.signal);
    this.transact = createTransact(this.db, {
      jobsWritten: () => {},
      publish: (events) => this.events.push(...events),
    });
    this.directory = directory;
    this.storage = new FileStorage({ directory, fsync: false });
    this.files = createUploadedFiles(this.db, this.storage);
    this.logger = createLogger('delivery-test', 'debug');
    for (const transport of this.logger.transports) transport.silent = true;
    this.logger.on('data', (line: LogLine) => this.log.push(line));
  }

  /** @param pacs - of the one PACS; undefined: none is configured */
  deps(pacs: Partial<PacsTarget> | undefined, more: Partial<DeliveryDeps> = {}): DeliveryDeps {
    return this.depsFor(pacs ? [this.target(pacs)] : [], more);
  }

  /** A target; what is not given is filled in. */
  target(given: Partial<PacsTarget>): PacsTarget {
    const { timeoutMs = 20_000 } = given;
    return {
      key: DEFAULT_TARGET,
      name: 'PACS',
      prefix: 'PACS_',
      concurrency: 8,
      verification: { level: 'uids', share: 1 },
      url: '',
      auth: { mode: 'none' },
      headers: {},
      tls: { ca: undefined, client: undefined },
      connectTimeoutMs: timeoutMs,
      timeoutMs,
      answerTimeoutMs: timeoutMs,
      ...given,
    };
  }

  depsFor(targets: readonly PacsTarget[], more: Partial<DeliveryDeps> = {}): DeliveryDeps {
    const { db, transact, files, logger, pacsAccesses } = this;
    const config = {
      pacs: { all: targets, rules: [], choices: [] },
      delivery: { eager: 'stat' as const },
    };
    return {
      db,
      transact,
      files,
      logger,
      config,
      pacsAccesses,
      circuits: new Circuits({ db, transact, logger, config, pacsAccesses, metrics: NO_METRICS }),
      metrics: NO_METRICS,
      stopping: this.stopping.signal,
      makesRoom: async () => false,
      patienceSeconds: [0.02, 0.05, 0.1],
      indexPatienceMs: 0,
      ...more,
    };
  }

  private async owner(): Promise<string> {
    if (this.userId === undefined) {
      this.userId = newId();
      await this.db('users').insert({
        id: this.userId,
        username: `user-${this.userId}`,
        email: `${this.userId}@example.org`,
        passwordHash: 'none',
        role: 'Clinician',
        status: 'active',
      });
    }
    return this.userId;
  }

  /** An upload whose files have been checked: one study, one file for each object. */
  async addUpload(
    study: Pick<TestStudy, 'studyInstanceUid' | 'seriesInstanceUid' | 'objects'>,
    serviceLevel: ServiceLevel = 'routine',
  ): Promise<TestStudy> {
    const { studyInstanceUid, seriesInstanceUid, objects } = study;
    const uploadId = newId();
    const studyId = newId();
    await insertUpload(this.db, {
      id: uploadId,
      userId: await this.owner(),
      status: 'delivering',
      serviceLevel,
      patientName: 'Secret^Name',
      patientId: 'SECRET-ID',
      patientBirthDate: null,
      patientSex: null,
      studyDate: '2026-01-05',
      modality: 'CT',
      studyDescription: null,
      clinicalHistory: null,
      studyInstanceUid: null,
      fileCount: objects.length,
      totalBytes: objects.reduce((sum, { bytes }) => sum + bytes.length, 0),
      dedupeKey: Buffer.alloc(32),
      expiresAt: new Date(Date.now() + 86_400_000),
    });
    await insertStudy(this.db, {
      id: studyId,
      uploadId,
      studyInstanceUid,
      target: DEFAULT_TARGET,
      patientName: 'Secret^Name',
      patientId: 'SECRET-ID',
      patientBirthDate: null,
      patientSex: null,
      studyDate: '2026-01-05',
      studyDescription: null,
      accessionNumber: null,
      modalities: ['CT'],
      seriesCount: 1,
    });
    const rows = [];
    for (const [index, { sopInstanceUid, bytes }] of objects.entries()) {
      const fileId = newId();
      const size = bytes.length;
      await writeFile(path.join(this.directory, fileId), bytes);
      const file = { id: fileId, uploadId, clientId: null, filename: `${index}.dcm`, relativePath: null };
      await insertUploadFile(this.db, {
        ...file,
        filetype: null,
        tusMetadata: null,
        size,
        isPartial: false,
        bytesReceived: size,
      });
      await this.db('fileSegments').insert({ fileId, start: 0, key: fileId });
      rows.push({
        id: newId(),
        studyId,
        uploadFileId: fileId,
        sopInstanceUid,
        seriesInstanceUid,
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        transferSyntaxUid: '1.2.840.10008.1.2.1',
        modality: 'CT',
        seriesNumber: 1,
        instanceNumber: index + 1,
        sourceOffset: 0,
        size,
        sha256: createHash('sha256').update(bytes).digest(),
      });
    }
    await insertInstances(this.db, rows);
    await this.transact(async (unit) =>
      unit.enqueue(deliveryJob({ id: studyId, attempts: 0, nextAttemptAt: null }, serviceLevel)),
    );
    return { studyId, uploadId, studyInstanceUid, seriesInstanceUid, objects };
  }

  study(id: string): Promise<StudyRow> {
    return findStudy(this.db, id).then(present);
  }

  upload(id: string): Promise<UploadRow> {
    return findUpload(this.db, id).then(present);
  }

  instances(studyId: string): Promise<InstanceRow[]> {
    return listInstances(this.db, studyId);
  }

  /** What a person's "Retry" does to a failed upload of one study. */
  async retry({ uploadId, studyId }: TestStudy): Promise<void> {
    await this.db('studies').where({ id: studyId }).update({ status: 'pending', problem: null });
    await this.db('uploads').where({ id: uploadId }).update({ status: 'delivering', problem: null });
    const { attempts } = await this.study(studyId);
    await this.transact(async (unit) =>
      unit.enqueue(deliveryJob({ id: studyId, attempts, nextAttemptAt: null }, 'routine')),
    );
  }

  /** Takes the jobs that are in the outbox now. */
  takeJobs(): Promise<QueuedJob[]> {
    return this.db.transaction((trx) => takeOutboxJobs(trx, 100));
  }

  /**
   * Plays the queue: runs delivery jobs when they are due, until the uploads are settled.
   *
   * @returns the first upload in the end
   */
  async deliverAll(deps: DeliveryDeps, ...studies: [TestStudy, ...TestStudy[]]): Promise<UploadRow> {
    for (;;) {
      const uploads = await Promise.all(studies.map(({ uploadId }) => this.upload(uploadId)));
      if (uploads.every(({ status }) => status !== 'delivering')) return present(uploads[0]);
      const jobs = await this.takeJobs();
      if (jobs.length === 0) throw new Error('An upload is not settled and no job is left');
      await Promise.all(
        jobs.map(async ({ runAt, payload }) => {
          await sleep(Math.max(0, runAt.getTime() - Date.now()));
          if ('studyId' in payload) await this.deliver(deps, payload.studyId);
        }),
      );
    }
  }

  /** Runs each job that is there once, without waiting for its time. */
  async deliverOnce(deps: DeliveryDeps): Promise<void> {
    for (const { payload } of await this.takeJobs()) {
      if ('studyId' in payload) await this.deliver(deps, payload.studyId);
    }
  }

  /** One run at one study, whosever turn it is. */
  async deliver(deps: DeliveryDeps, studyId: string): Promise<void> {
    const claim = await RowClaim.take(this.db, this.transact, 'studies', studyId);
    if (claim) await deliverStudy(deps, claim);
  }

  async close(): Promise<void> {
    await this.db.destroy();
    await this.cleanUp();
  }
}

/** Slices of one new study. */
export function makeStudy(
  count: number,
  slice: SliceOptions = {},
): Pick<TestStudy, 'studyInstanceUid' | 'seriesInstanceUid' | 'objects'> {
  const studyInstanceUid = newUid();
  const seriesInstanceUid = newUid();
  const objects = Array.from({ length: count }, (_, index) => {
    const sopInstanceUid = newUid();
    const uids = { studyInstanceUid, seriesInstanceUid, sopInstanceUid };
    return { sopInstanceUid, bytes: buildDicom({ ...slice, ...uids, instanceNumber: index + 1 }) };
  });
  return { studyInstanceUid, seriesInstanceUid, objects };
}

function present<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('The row is gone');
  return row;
}
