import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { BufferBudget } from './buffer-budget.js';
import {
  ObjectMissing,
  type ObjectStorage,
  type SegmentWriter,
  type StoredObject,
  type WriterOptions,
} from './object-storage.js';
import { S3Object } from './s3-object.js';
import { S3Writer } from './s3-writer.js';
import { isSegmentKey, newSegmentKey } from './segment-key.js';

/** Server-side encryption that every write asks for; `aws:kms` without a key uses the account's own. */
export type S3Encryption = { mode: 'AES256' } | { mode: 'aws:kms'; keyId?: string | undefined };

export interface S3Settings {
  bucket: string;
  /** Undefined: that of AWS for the region. */
  endpoint?: string | undefined;
  region: string;
  /** Undefined: those that the SDK finds: variables, the instance's role, … */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
  /** Undefined: the service does as its bucket says, and nothing is checked. */
  encryption?: S3Encryption | undefined;
  /** Bytes that are gathered for one object; default 8 MiB. A sync ends an object sooner. */
  objectBytes?: number | undefined;
  /** Bytes that all writers together keep in memory; default 128 MiB. */
  bufferBytes?: number | undefined;
}

const MIB = 1024 * 1024;
const SOCKETS = { maxSockets: 256, keepAlive: true };
/** What DeleteObjects takes. */
const KEYS_PER_REQUEST = 1000;

/** Keeps every object in a bucket of S3, or of a service like it. */
export class S3Storage implements ObjectStorage {
  private readonly client: S3Client;
  private readonly settings: S3Settings;
  private readonly budget: BufferBudget;

  constructor(settings: S3Settings) {
    this.settings = settings;
    this.budget = new BufferBudget(settings.bufferBytes ?? 128 * MIB);
    this.client = new S3Client({
      region: settings.region,
      ...(settings.endpoint && { endpoint: settings.endpoint, forcePathStyle: true }),
      ...(settings.credentials && { credentials: settings.credentials }),
      // Services other than AWS do not know its newer checksums. The signature covers the bytes anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // It costs a new connection for every object.
      expectContinueHeader: false,
      maxAttempts: 3,
      requestHandler: {
        connectionTimeout: 3_000,
        requestTimeout: 60_000,
        throwOnRequestTimeout: true,
        // Longer: a body stands still while the PACS that gets it does.
        socketTimeout: 300_000,
        httpAgent: SOCKETS,
        httpsAgent: SOCKETS,
      },
    });
  }

  write(options: WriterOptions): SegmentWriter {
    return new S3Writer({
      ...options,
      budget: this.budget,
      objectBytes: this.settings.objectBytes ?? 8 * MIB,
      put: (key, body, signal) => this.put(key, body, signal),
      remove: (keys) => this.remove(keys),
    });
  }

  async open(key: string, length: number): Promise<StoredObject> {
    refuseForeignKey(key);
    return new S3Object(this.client, this.settings.bucket, key, length);
  }

  async remove(keys: readonly string[]): Promise<void> {
    keys.forEach(refuseForeignKey);
    const { bucket: Bucket } = this.settings;
    if (keys.length === 1) {
      await this.client.send(new DeleteObjectCommand({ Bucket, Key: keys[0] }));
      return;
    }
    for (let i = 0; i < keys.length; i += KEYS_PER_REQUEST) {
      const Objects = keys.slice(i, i + KEYS_PER_REQUEST).map((Key) => ({ Key }));
      const { Errors = [] } = await this.client.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
      );
      const [first] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
      if (first)
        throw new Error(`The S3 service did not remove ${first.Key}: ${first.Code} ${first.Message ?? ''}`);
    }
  }

  async *listKeys(before: Date): AsyncIterable<string> {
    let ContinuationToken: string | undefined;
    do {
      const page = await this.client.send(
        new ListObjectsV2Command({ Bucket: this.settings.bucket, ContinuationToken }),
      );
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key && LastModified && LastModified < before && isSegmentKey(Key)) yield Key;
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
  }

  async check(): Promise<void> {
    const { bucket } = this.settings;
    await this.client.send(new HeadBucketCommand({ Bucket: bucket })).catch((error: unknown) => {
      throw new Error(`The bucket ${bucket} cannot be used: ${explain(error)}`, { cause: error });
    });
  }

  /**
   * Resolves when the service reports for a probe object the encryption that the settings ask for.
   *
   * @throws Error with a sentence for the operator when it does not
   */
  async checkEncryption(): Promise<void> {
    const { bucket: Bucket, encryption } = this.settings;
    if (!encryption) return;
    const Key = newSegmentKey('encryption-probe');
    const refusal = `S3_SSE asks for ${encryption.mode}, but the S3 service`;
    await this.put(Key, Buffer.from('probe')).catch((error: unknown) => {
      throw new Error(`${refusal} did not take an object: ${explain(error)}`, { cause: error });
    });
    try {
      const { ServerSideEncryption } = await this.client.send(new HeadObjectCommand({ Bucket, Key }));
      if (ServerSideEncryption === encryption.mode) return;
      throw new Error(`${refusal} reports ${ServerSideEncryption ?? 'no encryption'} for an object it took`);
    } finally {
      await this.remove([Key]);
    }
  }

  private async put(key: string, body: Uint8Array, abortSignal?: AbortSignal): Promise<void> {
    const { bucket, encryption } = this.settings;
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      ...(encryption && { ServerSideEncryption: encryption.mode }),
      ...(encryption?.mode === 'aws:kms' && encryption.keyId && { SSEKMSKeyId: encryption.keyId }),
    });
    await this.client.send(command, abortSignal && { abortSignal });
  }
}

function refuseForeignKey(key: string): void {
  if (!isSegmentKey(key)) throw new ObjectMissing(key);
}

/** Answers without a body, as those to HEAD, come as `UnknownError`. */
function explain(error: unknown): string {
  if (error instanceof S3ServiceException) return `${error.name} (HTTP ${error.$metadata.httpStatusCode})`;
  // Node gives no message when every address of a host name failed.
  return error instanceof Error ? error.message || error.name : String(error);
}
