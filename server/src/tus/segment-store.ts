import type { Readable } from 'node:stream';
import {
  type ReceivedBytes,
  recordReceivedBytes,
  sumUnfinishedBytes,
} from '@relaypacs/core/db/received-bytes.js';
import { updateUploadFile } from '@relaypacs/core/db/upload-files.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { DataStore, Upload } from '@tus/utils';
import { HttpProblem } from '../http/http-problem.js';
import { batched } from './batched.js';
import { UNFINISHED } from './create-file.js';
import { OpenFile, type OpenFileDeps } from './open-file.js';
import { receiveBytes } from './receive-bytes.js';
import type { TusMetrics } from './tus-metrics.js';
import { currentTusRequest, type TusRequest, type TusUpload } from './tus-request.js';

/** What `Tus-Extension` announces. */
export const TUS_EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'termination',
  'expiration',
  'checksum',
  'concatenation',
];

/**
 * What the protocol engine writes to and asks for offsets: files recorded in PostgreSQL, their bytes in whatever
 * storage there is. Bodies are read from the connection itself, not from the engine's stream.
 */
export class SegmentStore extends DataStore {
  private readonly deps: Pick<Platform, 'db' | 'storage' | 'config'> & OpenFileDeps;
  private readonly metrics: TusMetrics;
  override extensions = TUS_EXTENSIONS;

  constructor(deps: Pick<Platform, 'db' | 'storage' | 'config'>, metrics: TusMetrics) {
    super();
    this.metrics = metrics;
    const record = batched<ReceivedBytes, boolean>(async (all) => {
      const recorded = await recordReceivedBytes(deps.db, all);
      for (const { fileId, from, to } of all) if (recorded.has(fileId)) metrics.bytesAcknowledged(to - from);
      return all.map(({ fileId }) => recorded.has(fileId));
    });
    this.deps = { ...deps, record };
  }

  /** The engine asks for "concatentation" (its spelling) before it lets slices be created. */
  override hasExtension(name: string): boolean {
    return name === 'concatentation' || super.hasExtension(name);
  }

  private openFile({ lease }: TusRequest): OpenFile | undefined {
    if (!lease) return undefined;
    lease.resource ??= new OpenFile(this.deps, lease.row);
    return lease.resource;
  }

  /** How far the file is; of one whose bytes are all there nobody needs the lease. */
  override async getUpload(id: string): Promise<Upload> {
    const request = currentTusRequest();
    const row = this.openFile(request)?.row ?? request.file;
    if (!row) throw new Error('A file is asked for that was not looked up');
    return new Upload({ id, offset: row.bytesReceived, ...(row.size === null ? {} : { size: row.size }) });
  }

  /** @throws HttpProblem UPLOAD_TOO_LARGE when the whole upload was announced with less */
  override async declareUploadLength(id: string, size: number): Promise<void> {
    const request = currentTusRequest();
    const { totalBytes } = request.upload;
    if (size > totalBytes) {
      throw new HttpProblem(
        'UPLOAD_TOO_LARGE',
        `The file would be larger than the ${totalBytes} bytes announced. What has arrived is safe.`,
      );
    }
    const file = this.openFile(request);
    if (!file) return;
    await updateUploadFile(this.deps.db, id, { size });
    file.row.size = size;
  }

  /** Bytes the file may still take; where its length is not known, what its upload may have begun in all. */
  private async roomFor({ row }: OpenFile, upload: TusUpload): Promise<number> {
    if (row.size !== null) return row.size - row.bytesReceived;
    const begun = await sumUnfinishedBytes(this.deps.db, upload.id);
    const ofAll = upload.totalBytes * UNFINISHED.byteShare - begun;
    const ofThis = Math.min(this.deps.config.uploads.maxBytes, upload.totalBytes) - row.bytesReceived;
    return Math.max(0, Math.min(ofAll, ofThis));
  }

  /**
   * @returns where the file ends now
   * @throws HttpProblem, StorageUnavailable: see {@link receiveBytes}
   */
  override async write(nothing: Readable, _id: string, offset: number): Promise<number> {
    // The engine's own stream is empty; left unread it would end with an error of its own.
    nothing.resume();
    const request = currentTusRequest();
    const file = this.openFile(request);
    // A creation that is sent again: what it brought the first time is here, and the client goes on from there.
    if (!file) return request.file?.bytesReceived ?? 0;
    if (file.row.bytesReceived !== offset) return file.row.bytesReceived;
    const most = await this.roomFor(file, request.upload);
    try {
      await receiveBytes(request.body, file, most, request.checksum);
    } catch (error) {
      this.metrics.bodyRead(request.body);
      const isMismatch = error instanceof HttpProblem && error.code === 'CHECKSUM_MISMATCH';
      if (isMismatch) this.metrics.checksumMismatched();
      // Whoever writes next begins with what the database says.
      await request.lease?.forget();
      // The file is there, without bytes: a client must be told where (design: 201 with `Upload-Offset: 0`).
      if (isMismatch && request.method === 'POST') return offset;
      throw error;
    }
    this.metrics.bodyRead(request.body);
    return file.row.bytesReceived;
  }
}
