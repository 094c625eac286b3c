import { buffer } from 'node:stream/consumers';
import {
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { loadConfig } from '@relaypacs/core/config.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { KMS_KEY_ID, type Radosgw } from './radosgw.js';
import type { Stack } from './stack.js';

/** A service that is given by RELAYPACS_TEST_S3_URL need not encrypt as Ceph does, and cannot be stopped. */
export const IS_GIVEN = process.env.RELAYPACS_TEST_S3_URL !== undefined;

/** The variables that keep RelayPACS' bytes in a bucket, encrypted where that is possible. */
export function s3Variables(service: Radosgw, bucket: string, endpoint = service.endpoint) {
  return {
    STORAGE: 's3',
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_REGION: service.region,
    AWS_ACCESS_KEY_ID: service.accessKeyId,
    AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
    ...(IS_GIVEN ? { S3_SSE: 'none' } : { S3_SSE: 'aws:kms', S3_KMS_KEY_ID: KMS_KEY_ID }),
  };
}

/** What a worker stands on, in the test's own process. */
export function openS3Platform(
  stack: Stack,
  variables: Record<string, string>,
  more: Record<string, string> = {},
): Promise<Platform> {
  const config = loadConfig({
    DATABASE_URL: stack.databaseUrl,
    DATA_DIR: stack.dataDir,
    ...variables,
    ...more,
  });
  return openPlatform(config, createLogger('test', 'error'));
}

/** The acknowledged bytes of a file, as the worker reads them. */
export async function readFileBytes({ files }: Platform, fileId: string): Promise<Buffer> {
  const file = await files.open(fileId);
  try {
    return await buffer(file.stream(0, file.size));
  } finally {
    await file.close();
  }
}

/** A bucket as it is, seen past RelayPACS. */
export class S3Bucket {
  private readonly name: string;
  private readonly client: S3Client;

  constructor({ endpoint, region, accessKeyId, secretAccessKey }: Radosgw, name: string) {
    this.name = name;
    const credentials = { accessKeyId, secretAccessKey };
    this.client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  }

  /** Every object, every old version and mark of a deletion, and every multipart upload that was begun. */
  async contents(): Promise<string[]> {
    const Bucket = this.name;
    const found: (string | undefined)[] = [];
    let KeyMarker: string | undefined;
    do {
      const page = await this.client.send(new ListObjectVersionsCommand({ Bucket, KeyMarker }));
      found.push(...(page.Versions ?? []).map(({ Key }) => Key));
      found.push(...(page.DeleteMarkers ?? []).map(({ Key }) => `deleted ${Key}`));
      KeyMarker = page.NextKeyMarker;
    } while (KeyMarker);
    const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ Bucket }));
    found.push(...Uploads.map(({ Key }) => `multipart ${Key}`));
    return found.map(String).sort();
  }

  async encryptionOf(key: string) {
    const answer = await this.client.send(new HeadObjectCommand({ Bucket: this.name, Key: key }));
    return { mode: answer.ServerSideEncryption, keyId: answer.SSEKMSKeyId };
  }

  async put(key: string, body: string): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.name, Key: key, Body: body }));
  }

  close(): void {
    this.client.destroy();
  }
}
