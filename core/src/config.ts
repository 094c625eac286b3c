import { isIP } from 'node:net';
import path from 'node:path';
import { type Environment, Reader } from './config-reader.js';
import { type PacsTargets, readTargets } from './config-targets.js';
import type { Eagerness } from './domain/early-delivery.js';

export type { PacsAuth, PacsConfig, PacsTls } from './config-pacs.js';
export type { PacsTarget, PacsTargets } from './config-targets.js';

const MIB = 1024 * 1024;
/** Long enough not to be guessed, and fit for an Authorization header. */
const METRICS_TOKEN = /^[\x21-\x7e]{16,}$/;

/** A configuration value that cannot be used. The message names the variable and what it should hold. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

export type S3Encryption = { mode: 'AES256' } | { mode: 'aws:kms'; keyId?: string | undefined };

export type StorageConfig =
  /** `fsync`: bytes are on the disk itself before they are acknowledged. */
  | { kind: 'file'; directory: string; fsync: boolean }
  | {
      kind: 's3';
      bucket: string;
      /** Undefined: AWS. */
      endpoint: string | undefined;
      region: string;
      /** Undefined: what the SDK finds by itself. */
      credentials: { accessKeyId: string; secretAccessKey: string } | undefined;
      /** Undefined: not asked for. */
      encryption: S3Encryption | undefined;
    };

/** Everything RelayPACS can be told from outside, typed and checked. */
export interface Config {
  host: string;
  port: number;
  /** Undefined: the address each request came to is used. */
  publicUrl: string | undefined;
  /** Absolute folder for everything a single machine keeps: storage, keys, the embedded database. */
  dataDir: string;
  database: { url: string; poolMax: number };
  /** Undefined: the queue and the events run on PostgreSQL. */
  redisUrl: string | undefined;
  storage: StorageConfig;
  /** Where none is configured yet, uploads are kept and wait. */
  pacs: PacsTargets;
  uploads: {
    maxBytes: number;
    ttlHours: number;
    duplicateWindowDays: number;
    chunkSize: number;
    maxChunkSize: number;
    graceHours: number;
    /** Silence after which a transfer's request is ended. */
    idleSeconds: number;
  };
  intake: {
    /** Whether a study of which images seem to be missing waits for its sender. */
    incomplete: 'warn' | 'hold';
    /** Whether an upload whose files name another patient or study than its sender did waits for its sender. */
    mismatch: 'warn' | 'hold';
    /** As what the clinical history goes into the study. */
    noteObjects: ReadonlyArray<'pdf' | 'sr'>;
    archive: {
      maxEntries: number;
      /** Bytes, unpacked, of everything in one archive. */
      maxBytes: number;
      maxRatio: number;
      maxNameBytes: number;
      maxPathDepth: number;
      /** Archives within an archive that are opened: 0 or 1 level. */
      maxNesting: number;
    };
  };
  registration: 'open' | 'closed';
  cors: { origins: string[] };
  trustProxy: string | number | boolean;
  rateLimits: {
    disabled: boolean;
    loginPerMinute: number;
    registerPerMinute: number;
    uploadInitPerMinute: number;
    chunksPerMinute: number;
  };
  keys: { jwtPrivateKey: string | undefined; dedupeSecret: string | undefined };
  worker: { intakeConcurrency: number; deliveryConcurrency: number };
  /** Whether images of STAT uploads are delivered while the rest still arrives. */
  delivery: { eager: Eagerness };
  metrics: {
    /** Port of the server's metrics alone; undefined: none. */
    port: number | undefined;
    /** The same for the worker. */
    workerPort: number | undefined;
    /** What who reads them must bear; undefined: anybody who reaches their port may, and the main port has none. */
    token: string | undefined;
  };
  /** Between "not ready" and the end of the server. */
  shutdownDelayMs: number;
  log: { level: 'error' | 'warn' | 'info' | 'debug' };
}

function readStorage(reader: Reader, dataDir: string): StorageConfig {
  const kind = reader.choice('STORAGE', ['file', 's3'], 'file');
  const fsync = reader.choice('STORAGE_FSYNC', ['0', '1'], '1') === '1';
  if (kind === 'file') return { kind, directory: path.join(dataDir, 'storage'), fsync };
  const bucket = reader.text('S3_BUCKET');
  if (bucket === undefined) reader.complaints.push('S3_BUCKET is needed because STORAGE is s3.');
  const [accessKeyId, secretAccessKey] = [
    reader.text('AWS_ACCESS_KEY_ID'),
    reader.text('AWS_SECRET_ACCESS_KEY'),
  ];
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    reader.complaints.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither.');
  }
  const mode = reader.choice('S3_SSE', ['AES256', 'aws:kms', 'none'], 'AES256');
  const keyId = reader.text('S3_KMS_KEY_ID');
  return {
    kind,
    bucket: bucket ?? '',
    endpoint: reader.url('S3_ENDPOINT', ['http', 'https']),
    region: reader.text('S3_REGION') ?? 'us-east-1',
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
    encryption: mode === 'none' ? undefined : mode === 'AES256' ? { mode } : { mode, keyId },
  };
}

/** What `trust proxy` of Express understands besides a number: an address, a network, or a name of networks. */
function isProxyAddress(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', prefix, ...rest] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}

function readIntake(reader: Reader): Config['intake'] {
  const note = reader.choice('CLINICAL_NOTE', ['pdf,sr', 'pdf', 'sr', 'none'], 'pdf,sr');
  return {
    incomplete: reader.choice('INCOMPLETE_STUDIES', ['warn', 'hold'], 'warn'),
    mismatch: reader.choice('METADATA_MISMATCH', ['warn', 'hold'], 'warn'),
    noteObjects: note === 'none' ? [] : note === 'pdf,sr' ? ['pdf', 'sr'] : [note],
    archive: {
      maxEntries: reader.integer('ARCHIVE_MAX_ENTRIES', 20_000, 1, 1_000_000),
      maxBytes: reader.integer('ARCHIVE_MAX_BYTES', 8192 * MIB, 1, Number.MAX_SAFE_INTEGER),
      maxRatio: reader.integer('ARCHIVE_MAX_RATIO', 200, 1, 1032),
      maxNameBytes: reader.integer('ARCHIVE_MAX_NAME_BYTES', 1024, 1, 65_535),
      maxPathDepth: reader.integer('ARCHIVE_MAX_PATH_DEPTH', 32, 1, 1000),
      maxNesting: reader.integer('ARCHIVE_MAX_NESTING', 1, 0, 1),
    },
  };
}

function readTrustProxy(reader: Reader): Config['trustProxy'] {
  const value = reader.text('TRUST_PROXY');
  if (value === undefined || value === '0' || value === 'false') return false;
  if (/^\d+$/.test(value)) return Number(value);
  const addresses = value.split(',').map((address) => address.trim());
  const wrong = addresses.find((address) => !isProxyAddress(address));
  if (wrong !== undefined) {
    const why = wrong === 'true' ? '"true" would trust anybody' : `"${wrong}" is neither`;
    reader.complaints.push(`TRUST_PROXY must be a number of proxies or their addresses; ${why}.`);
  }
  return addresses.join(',');
}

function readMetrics(reader: Reader, mainPort: number): Config['metrics'] {
  const [port, workerPort] = [reader.port('METRICS_PORT'), reader.port('WORKER_METRICS_PORT')];
  if (port === mainPort) {
    reader.complaints.push(`METRICS_PORT and PORT are both ${port}; they must differ.`);
  }
  const token = reader.text('METRICS_TOKEN');
  if (token !== undefined && !METRICS_TOKEN.test(token)) {
    reader.complaints.push('METRICS_TOKEN must be 16 characters or more, without blanks.');
  }
  return { port, workerPort, token };
}

function readDatabaseUrl(reader: Reader): string {
  const url = reader.url('DATABASE_URL', ['postgres', 'postgresql']);
  if (url === undefined && reader.complaints.every((c) => !c.startsWith('DATABASE_URL'))) {
    reader.complaints.push('DATABASE_URL is needed; `npm start` sets it to the embedded database by itself.');
  }
  return url ?? '';
}

/**
 * Reads only where the database is: `DATABASE_URL`, or the file that `DATABASE_URL_FILE` names.
 *
 * @throws ConfigError when it is missing or cannot be used
 */
export function loadDatabaseUrl(env: Environment): string {
  const reader = new Reader(env);
  const url = readDatabaseUrl(reader);
  if (reader.complaints.length > 0) throw new ConfigError(reader.complaints.join('\n'));
  return url;
}

/**
 * Reads and checks the whole configuration.
 *
 * @param env - the environment, usually `process.env`
 * @throws ConfigError with one line per variable that is wrong
 */
export function loadConfig(env: Environment): Config {
  const reader = new Reader(env);
  const port = reader.integer('PORT', 8080, 1, 65535);
  const dataDir = path.resolve(reader.text('DATA_DIR') ?? 'data');
  const databaseUrl = readDatabaseUrl(reader);
  const maxChunkSize = reader.integer('MAX_CHUNK_BYTES', 64 * MIB, 512 * 1024, 1024 * MIB);
  const config: Config = {
    host: reader.text('HOST') ?? '127.0.0.1',
    port,
    publicUrl: reader.url('PUBLIC_URL', ['http', 'https']),
    dataDir,
    database: { url: databaseUrl, poolMax: reader.integer('DATABASE_POOL_MAX', 10, 2, 200) },
    redisUrl: reader.url('REDIS_URL', ['redis', 'rediss']),
    storage: readStorage(reader, dataDir),
    pacs: readTargets(reader),
    uploads: {
      maxBytes: reader.integer('MAX_UPLOAD_BYTES', 2 * 1024 * MIB, 1, Number.MAX_SAFE_INTEGER),
      ttlHours: reader.number('UPLOAD_TTL_HOURS', 24, 0.001, 24 * 365),
      duplicateWindowDays: reader.number('DUPLICATE_WINDOW_DAYS', 30, 0, 3650),
      chunkSize: Math.min(8 * MIB, maxChunkSize),
      maxChunkSize,
      graceHours: reader.number('BYTES_GRACE_HOURS', 24, 0, 24 * 365),
      idleSeconds: reader.number('UPLOAD_IDLE_SECONDS', 20, 1, 3600),
    },
    intake: readIntake(reader),
    registration: reader.choice('REGISTRATION', ['open', 'closed'], 'open'),
    cors: { origins: (reader.text('CORS_ORIGINS') ?? '').split(/[\s,]+/).filter((origin) => origin !== '') },
    trustProxy: readTrustProxy(reader),
    rateLimits: {
      disabled: reader.flag('RATE_LIMIT_DISABLED'),
      loginPerMinute: reader.integer('RATE_LIMIT_LOGIN_PER_MINUTE', 5, 1, 1e6),
      registerPerMinute: reader.integer('RATE_LIMIT_REGISTER_PER_MINUTE', 10, 1, 1e6),
      uploadInitPerMinute: reader.integer('RATE_LIMIT_UPLOAD_INIT_PER_MINUTE', 20, 1, 1e6),
      chunksPerMinute: reader.integer('RATE_LIMIT_CHUNKS_PER_MINUTE', 2000, 1, 1e6),
    },
    keys: { jwtPrivateKey: reader.text('JWT_PRIVATE_KEY'), dedupeSecret: reader.text('DEDUPE_SECRET') },
    worker: {
      intakeConcurrency: reader.integer('INTAKE_CONCURRENCY', 2, 1, 32),
      deliveryConcurrency: reader.integer('DELIVERY_CONCURRENCY', 2, 1, 32),
    },
    delivery: { eager: reader.choice('DELIVERY_EAGER', ['off', 'stat'], 'off') },
    metrics: readMetrics(reader, port),
    shutdownDelayMs: reader.number('SHUTDOWN_DELAY_SECONDS', 1, 0, 300) * 1000,
    log: { level: reader.choice('LOG_LEVEL', ['error', 'warn', 'info', 'debug'], 'info') },
  };
  for (const origin of config.cors.origins) {
    if (origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin)) {
      reader.complaints.push(
        `CORS_ORIGINS must list origins such as https://app.example.org, but holds "${origin}".`,
      );
    }
  }
  if (reader.complaints.length > 0) throw new ConfigError(reader.complaints.join('\n'));
  return config;
}
