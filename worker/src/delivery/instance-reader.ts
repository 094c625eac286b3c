import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import { type Content, openContent } from '@relaypacs/core/archive/entry-content.js';
import { ContentDamaged } from '@relaypacs/core/archive/refusals.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { ObjectMissing, type StreamOptions } from '@relaypacs/core/storage/object-storage.js';
import type { FileOpener, UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { nodeInflate } from '../contents/node-inflate.js';
import { fromStoredPieces, streamPieces } from '../contents/source-pieces.js';
import { openStoredContent } from '../contents/stored-content.js';
import { StoredBytesDamaged, type StowPart } from './multipart.js';

/** Archives within archives that stay open between two of their instances. */
const KEPT_OPEN = 4;

interface InnerArchive {
  content: Promise<Content>;
  users: number;
}

/** Reads instances from where they were stored: a file, a place in an archive, or the pieces of a repaired object. */
export class InstanceReader {
  private readonly files: UploadedFiles;
  /** By file and way; the last used ones last. */
  private readonly inner = new Map<string, InnerArchive>();

  constructor(files: UploadedFiles) {
    this.files = files;
  }

  /**
   * The bytes of an instance.
   *
   * @param options - lent or not, where they lie in a file as they are
   * @throws StoredBytesDamaged while iterating, when they are gone, shorter than they were, or cannot be unpacked
   */
  async *read(
    instance: InstanceRow,
    files: FileOpener = this.files,
    options: StreamOptions = {},
  ): AsyncGenerator<Uint8Array> {
    try {
      yield* this.stream(instance, files, options);
    } catch (error) {
      const damaged = error instanceof ObjectMissing || error instanceof ContentDamaged;
      throw damaged ? new StoredBytesDamaged(instance.sopInstanceUid, error) : error;
    }
  }

  /** Instances as the parts of a STOW-RS request; where their bytes lie is looked up when the first one is read. */
  parts(instances: readonly InstanceRow[]): StowPart[] {
    const fileIds = [...new Set(instances.map(({ uploadFileId }) => uploadFileId))];
    let located: Promise<FileOpener> | undefined;
    const files: FileOpener = {
      open: async (fileId) => {
        located ??= this.files.locate(fileIds);
        return (await located).open(fileId);
      },
    };
    return instances.map((instance) => {
      const { sopInstanceUid, size, sha256 } = instance;
      return { sopInstanceUid, size, sha256, open: () => this.read(instance, files, { lent: true }) };
    });
  }

  /** Closes what was kept open. */
  async close(): Promise<void> {
    const kept = [...this.inner.values()];
    this.inner.clear();
    await Promise.all(kept.map(closeQuietly));
  }

  private async *stream(
    instance: InstanceRow,
    files: FileOpener,
    options: StreamOptions,
  ): AsyncGenerator<Uint8Array> {
    const { uploadFileId, sourceOffset, size, pieces } = instance;
    const steps = instance.steps ?? [];
    if (steps.length === 0 && !pieces) {
      const object = await files.open(uploadFileId);
      try {
        yield* object.stream(sourceOffset, size, options);
      } finally {
        await object.close();
      }
      return;
    }
    const { content, done } = await this.open(files, uploadFileId, steps);
    try {
      if (pieces) yield* streamPieces(content, fromStoredPieces(pieces));
      else yield* content.stream(sourceOffset, size);
    } finally {
      await done();
    }
  }

  private async open(
    files: FileOpener,
    fileId: string,
    steps: readonly ContentStep[],
  ): Promise<{ content: Content; done: () => Promise<void> }> {
    const last = steps.at(-1);
    if (steps.length < 2 || !last) {
      const content = await openStoredContent(files, fileId, steps);
      return { content, done: () => content.close() };
    }
    // Shared: a packed archive can only be read forward, and would be begun anew for each of its instances.
    const key = JSON.stringify([fileId, steps.slice(0, -1)]);
    const archive = this.inner.get(key) ?? {
      content: openStoredContent(files, fileId, steps.slice(0, -1)),
      users: 0,
    };
    archive.users += 1;
    this.inner.delete(key);
    this.inner.set(key, archive);
    try {
      const content = openContent(await archive.content, [last], nodeInflate);
      return {
        content,
        done: async () => {
          await content.close();
          archive.users -= 1;
          await this.evict();
        },
      };
    } catch (error) {
      archive.users -= 1;
      // One that could not be opened is to be tried anew; one that could is closed in its turn.
      await archive.content.catch(() => {
        if (this.inner.get(key) === archive) this.inner.delete(key);
      });
      throw error;
    }
  }

  private async evict(): Promise<void> {
    for (const [key, archive] of this.inner) {
      if (this.inner.size <= KEPT_OPEN) return;
      if (archive.users > 0) continue;
      this.inner.delete(key);
      await closeQuietly(archive);
    }
  }
}

async function closeQuietly({ content }: InnerArchive): Promise<void> {
  await content.then(
    (opened) => opened.close(),
    () => {},
  );
}
