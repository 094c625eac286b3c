import type { Readable } from 'node:stream';
import { GetObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { ObjectMissing, type StoredObject } from './object-storage.js';

/** Fetched at least by one read, because headers are read in many small steps. */
const READ_AHEAD_BYTES = 256 * 1024;
/** A larger block is not kept after a read. */
const KEPT_BYTES = 1024 * 1024;

/** An object of a bucket, read by ranged requests. */
export class S3Object implements StoredObject {
  readonly size: number;
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly key: string;
  /** The last bytes that were fetched. */
  private block: { offset: number; bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array() };

  constructor(client: S3Client, bucket: string, key: string, size: number) {
    this.client = client;
    this.bucket = bucket;
    this.key = key;
    this.size = size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - offset));
    if (wanted === 0) return new Uint8Array();
    const { block } = this;
    const within = offset - block.offset;
    if (within >= 0 && within + wanted <= block.bytes.length)
      return block.bytes.subarray(within, within + wanted);

    const fetched = Math.min(Math.max(wanted, READ_AHEAD_BYTES), this.size - offset);
    const body = await this.fetch(offset, fetched);
    const bytes = await collect(body, fetched);
    if (bytes.length < fetched) throw new ObjectMissing(this.key);
    if (fetched <= KEPT_BYTES) this.block = { offset, bytes };
    return bytes.subarray(0, wanted);
  }

  async *stream(offset: number, length: number): AsyncGenerator<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - offset));
    if (wanted === 0) return;
    let missing = wanted;
    for await (const chunk of await this.fetch(offset, wanted)) {
      missing -= chunk.length;
      yield chunk;
    }
    if (missing > 0) throw new ObjectMissing(this.key);
  }

  async close(): Promise<void> {
    this.block = { offset: 0, bytes: new Uint8Array() };
  }

  private async fetch(offset: number, length: number): Promise<AsyncIterable<Uint8Array>> {
    const Range = `bytes=${offset}-${offset + length - 1}`;
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: this.key, Range });
    const { Body } = await this.client.send(command).catch((error: unknown) => {
      throw isMissing(error) ? new ObjectMissing(this.key) : error;
    });
    return Body as Readable as AsyncIterable<Uint8Array>;
  }
}

/** A bucket that is not there is a wrong setting, and no lost file. */
function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && ['NoSuchKey', 'InvalidRange'].includes(error.name);
}

async function collect(body: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  for await (const chunk of body) {
    bytes.set(chunk.subarray(0, length - done), done);
    done = Math.min(done + chunk.length, length);
  }
  return bytes.subarray(0, done);
}
