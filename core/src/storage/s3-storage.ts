import { setTimeout as delay } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Encryption } from '../config.js';
import { ConfigError } from '../config.js';
import { BufferBudget } from './buffer-budget.js';
import {
  ObjectMissing,
  type ObjectStorage,
  type SegmentWriter,
  type StoredObject,
  type WriterOptions,
} from './object-storage.js';
import { S3Object } from './s3-object.js';
import { explain, isPassing, refusal, type S3Step } from './s3-refusal.js';
import { S3Writer } from './s3-writer.js';
import { isSafeKey, isSegmentKey, newSegmentKey } from './segment-key.js';

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
  /** Bytes that all writers together keep in memory; default 64 MiB. */
  bufferBytes?: number | undefined;
}

const MIB = 1024 * 1024;
const SOCKETS = { maxSockets: 256, keepAlive: true };
/** What DeleteObjects takes, and how long a slow service may need for them. */
const KEYS_PER_REQUEST = 1000;
const REMOVE_WITHIN_MS = 60_000;
/** A PUT during which nothing moves for so long has failed: its client waits for the answer. */
const STANDSTILL_MS = 5_000;
/** At the start, for each of three tries. */
const FIRST_ANSWER_WITHIN_MS = 4_000;
/** A PUT that fails sooner is tried again; after that its client is told, and comes back. */
const TRY_AGAIN_WITHIN_MS = 1_000;
const FIRST_PAUSE_MS = 50;

/** Keeps every object in a bucket of S3, or of a service like it. */
export class S3Storage implements ObjectStorage {
  private readonly client: S3Client;
  /** For PUTs, which are tried again here, within a time that their clients can wait. */
  private readonly putClient: S3Client;
  private readonly settings: S3Settings;
  private readonly budget: BufferBudget;

  constructor(settings: S3Settings) {
    this.settings = settings;
    this.budget = new BufferBudget(settings.bufferBytes ?? 64 * MIB);
    // Sockets may be silent for longer: a body stands still while the PACS that gets it does.
    this.client = connect(settings, { maxAttempts: 3, requestTimeout: 10_000, socketTimeout: 300_000 });
    this.putClient = connect(settings, { maxAttempts: 1, requestTimeout: 0, socketTimeout: STANDSTILL_MS });
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
        { requestTimeout: REMOVE_WITHIN_MS },
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
   * Resolves when the settings let objects be put, read and removed, and the service reports for a probe the encryption
   * that they ask for.
   *
   * @throws ConfigError with a sentence for the operator when they do not, Error when the service is away
   */
  async checkSettings(): Promise<void> {
    const { bucket: Bucket, encryption } = this.settings;
    const attempt = <T>(step: S3Step, action: Promise<T>) =>
      action.catch((error: unknown) => {
        throw refusal(error, step, this.settings);
      });
    // Unlike HEAD of the bucket, its answer tells a wrong secret from a missing right.
    const list = new ListObjectsV2Command({ Bucket, MaxKeys: 1 });
    await attempt('list', this.client.send(list, { requestTimeout: FIRST_ANSWER_WITHIN_MS }));
    const Key = newSegmentKey('encryption-probe');
    await attempt('put', this.put(Key, Buffer.from('probe')));
    const reading = attempt('read', this.client.send(new HeadObjectCommand({ Bucket, Key })));
    const { ServerSideEncryption } = await reading.finally(() => attempt('remove', this.remove([Key])));
    if (encryption && ServerSideEncryption !== encryption.mode) {
      throw new ConfigError(
        `S3_SSE asks for ${encryption.mode}, but the S3 service reports ${ServerSideEncryption ?? 'no encryption'} for an object it took. Choose what the service does; with S3_SSE=none nothing is asked for.`,
      );
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
    const begun = performance.now();
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      try {
        await this.putClient.send(command, abortSignal && { abortSignal });
        return;
      } catch (error) {
        const isOver = performance.now() + pause - begun > TRY_AGAIN_WITHIN_MS;
        if (isOver || abortSignal?.aborted || !isPassing(error)) throw error;
      }
      await delay(pause);
    }
  }
}

function refuseForeignKey(key: string): void {
  if (!isSafeKey(key)) throw new ObjectMissing(key);
}

interface Patience {
  maxAttempts: number;
  /** Milliseconds until the answer's headers; 0 waits. */
  requestTimeout: number;
  /** Milliseconds in which something must move. */
  socketTimeout: number;
}

function connect(settings: S3Settings, { maxAttempts, requestTimeout, socketTimeout }: Patience): S3Client {
  // The SDK says on stderr what later versions of it will need; this one is pinned, and an operator cannot change it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const { region, endpoint, credentials } = settings;
  return new S3Client({
    region,
    ...(endpoint && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    // Services other than AWS do not know its newer checksums. The signature covers the bytes anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It costs a new connection for every object.
    expectContinueHeader: false,
    maxAttempts,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout,
      throwOnRequestTimeout: true,
      socketTimeout,
      httpAgent: SOCKETS,
      httpsAgent: SOCKETS,
    },
  });
}
