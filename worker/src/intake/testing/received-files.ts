import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { IsolatedTasks } from '../../isolation/isolated-tasks.js';
import { examineFile, type FileExaminationDeps } from '../examine-file.js';
import type { ReadFile } from '../examined.js';

/** A file's row when its last byte has just come. */
export function receivedRow(id: string, size: number, more: Partial<UploadFileRow> = {}): UploadFileRow {
  return {
    id,
    uploadId: 'upload',
    clientId: null,
    filename: `${id}.dcm`,
    relativePath: null,
    filetype: null,
    tusMetadata: null,
    size,
    bytesReceived: size,
    isPartial: false,
    isDerived: false,
    joinedFrom: null,
    status: 'received',
    seenEarly: false,
    kind: null,
    problem: null,
    findings: [],
    md5: null,
    sha256: null,
    announcedMd5: null,
    announcedSha256: null,
    createdAt: new Date(),
    finishedAt: new Date(),
    ...more,
  };
}

/** Files in a folder of their own, as they lie when they have been received. */
export class ReceivedFiles {
  readonly directory: string;
  readonly files: FileOpener;
  readonly tasks = new IsolatedTasks();

  private constructor(directory: string) {
    this.directory = directory;
    const storage = new FileStorage({ directory, fsync: false });
    const sizeOf = (name: string) =>
      stat(path.join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      );
    this.files = { open: async (id) => storage.open(id, await sizeOf(id)) };
  }

  static async open(): Promise<ReceivedFiles> {
    return new ReceivedFiles(await mkdtemp(path.join(tmpdir(), 'relaypacs-intake-')));
  }

  get deps(): FileExaminationDeps {
    return {
      files: this.files,
      tasks: this.tasks,
      uploadId: 'upload',
      studyInstanceUid: undefined,
      patientId: undefined,
      limits: DEFAULT_ARCHIVE_LIMITS,
      spent: { entries: 0, bytes: 0, dicomdirs: 0 },
      signal: new AbortController().signal,
    };
  }

  write(id: string, content: Uint8Array): Promise<void> {
    return writeFile(path.join(this.directory, id), content);
  }

  /** Stores and examines a file; fails where it could not be read. */
  async examine(content: Uint8Array, id = 'f1', more: Partial<FileExaminationDeps> = {}): Promise<ReadFile> {
    await this.write(id, content);
    const checked = await examineFile({ ...this.deps, ...more }, receivedRow(id, content.length));
    if (checked.sha256 === null) throw new Error('The file was not read');
    return checked;
  }

  async close(): Promise<void> {
    await this.tasks.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
