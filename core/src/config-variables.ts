interface Variable {
  /** What holds when it is unset, in words. */
  default: string;
  /** One line for `docs/configuration.md`. */
  meaning: string;
  /** Also read from the file named by `NAME_FILE`; never printed. */
  secret?: true;
}

const VARIABLES = {
  PORT: { default: '8080', meaning: 'Port of the web application, the API and the tus endpoint.' },
  HOST: {
    default: '127.0.0.1',
    meaning: 'Address the server listens on. `0.0.0.0` opens it to the network; put TLS in front.',
  },
  PUBLIC_URL: {
    default: 'the address of each request',
    meaning:
      'The address people and clients use, without a path. Set it in production. It stands in receipts as who issued them.',
  },
  DATA_DIR: {
    default: './data',
    meaning:
      'Folder for stored bytes, keys and the embedded database. For root below a folder no other account may enter, the database lies in `/var/lib/relaypacs` and `DATA_DIR/postgres` leads there: back up and delete both.',
  },
  DATABASE_URL: {
    default: 'embedded PostgreSQL',
    meaning:
      '`postgres://user:password@host:5432/database`. A pooler in between must keep sessions (LISTEN and advisory locks are used): PgBouncer in transaction mode does not.',
    secret: true,
  },
  DATABASE_POOL_MAX: { default: '10', meaning: 'Most database connections of one process.' },
  REDIS_URL: {
    default: 'PostgreSQL does it',
    meaning: 'Redis or Valkey for the queue and the events.',
    secret: true,
  },
  STORAGE: {
    default: 'file',
    meaning: 'Where uploaded bytes lie: `file` keeps them in `DATA_DIR/storage`, `s3` in a bucket.',
  },
  STORAGE_FSYNC: {
    default: '1',
    meaning:
      'With `STORAGE=file`: `1` brings bytes to the disk itself before they are acknowledged, so that they survive a power loss; `0` leaves that to the system.',
  },
  S3_BUCKET: { default: '', meaning: 'Bucket for `STORAGE=s3`; it must exist, and hold nothing else.' },
  S3_ENDPOINT: {
    default: 'AWS',
    meaning: 'Address of another S3 service, for example `http://127.0.0.1:8333`.',
  },
  S3_REGION: { default: 'us-east-1', meaning: 'Region of the bucket.' },
  S3_SSE: {
    default: 'AES256',
    meaning:
      'Encryption asked for with every object and checked at start: `AES256`, `aws:kms`, or `none` where the service cannot encrypt or does it unasked.',
  },
  S3_KMS_KEY_ID: { default: "the service's own key", meaning: 'Key for `S3_SSE=aws:kms`.' },
  AWS_ACCESS_KEY_ID: {
    default: "what the AWS SDK finds: the machine's role, a profile",
    meaning: 'Access key of the S3 service.',
    secret: true,
  },
  AWS_SECRET_ACCESS_KEY: { default: '', meaning: 'Its secret.', secret: true },
  PACS_URL: {
    default: 'sandbox PACS',
    meaning:
      'DICOMweb root of the PACS, for example `https://pacs.example.org/dicom-web`, without user and password. With `DATABASE_URL` set and this unset, uploads are kept and wait.',
  },
  PACS_AUTH: {
    default: 'none',
    meaning:
      '`none` (no Authorization header at all), `basic`, `bearer`, or `oidc` (OAuth 2 client credentials, as with Keycloak, Microsoft Entra or Amazon Cognito).',
  },
  PACS_USERNAME: { default: '', meaning: 'User for `basic`.', secret: true },
  PACS_PASSWORD: { default: '', meaning: 'Password for `basic`.', secret: true },
  PACS_TOKEN: {
    default: '',
    meaning:
      'Token for `bearer`. `PACS_TOKEN_FILE` is read anew for every request, so that the token in it can be renewed.',
    secret: true,
  },
  PACS_OIDC_TOKEN_URL: {
    default: '',
    meaning:
      'Token endpoint for `oidc`, for example `https://sso.example.org/realms/dcm4che/protocol/openid-connect/token`.',
  },
  PACS_OIDC_CLIENT_ID: { default: '', meaning: 'Client for `oidc`.' },
  PACS_OIDC_CLIENT_SECRET: { default: '', meaning: "The client's secret.", secret: true },
  PACS_OIDC_SCOPE: {
    default: 'none',
    meaning:
      'Scope to ask for, for example `https://dicom.healthcareapis.azure.com/.default` for the DICOM service of Azure.',
  },
  PACS_OIDC_AUDIENCE: {
    default: 'none',
    meaning: 'Audience to ask for, where the token endpoint wants one (Auth0).',
  },
  PACS_HEADERS: {
    default: 'none',
    meaning:
      'Further headers of every request to the PACS, such as the key of an API gateway: a JSON object, or one `Name: value` a line.',
    secret: true,
  },
  PACS_CA_FILE: {
    default: 'public authorities only',
    meaning:
      'PEM file with certificates of further authorities that may vouch for the PACS and the token endpoint. Certificates are always verified.',
  },
  PACS_CLIENT_CERT_FILE: {
    default: 'none',
    meaning:
      'PEM file with the certificate, and its chain, by which RelayPACS shows who it is (mutual TLS) where the PACS or the token endpoint asks for one.',
  },
  PACS_CLIENT_KEY_FILE: { default: 'none', meaning: "PEM file with that certificate's private key." },
  PACS_CLIENT_KEY_PASSPHRASE: {
    default: '',
    meaning: 'Passphrase of the private key, where it is encrypted.',
    secret: true,
  },
  PACS_CONNECT_TIMEOUT_SECONDS: {
    default: '10',
    meaning: 'How long a connection to the PACS may take to be made, TLS included.',
  },
  PACS_TIMEOUT_SECONDS: {
    default: '60',
    meaning:
      'How long the PACS may take no byte of a request, or give no byte of an answer it has begun or was asked for.',
  },
  PACS_ANSWER_TIMEOUT_SECONDS: {
    default: '300',
    meaning: 'How long the PACS may take to answer after it got the last byte of what it is to store.',
  },
  PACS_NAME: { default: '`PACS`', meaning: 'What people read as the name of the PACS.' },
  PACS_CONCURRENCY: {
    default: '8',
    meaning: 'Most studies delivered to the PACS at once, by all workers together.',
  },
  PACS_VERIFY: {
    default: 'uids',
    meaning:
      'What proves that an image arrived: `uids`, the PACS lists it (QIDO-RS); `bytes`, it also hands out what was sent (WADO-RS in the original transfer syntax), compared by SHA-256. See `docs/delivery.md`.',
  },
  PACS_VERIFY_PERCENT: {
    default: '100',
    meaning:
      'Share of the images of a study whose bytes are compared with `PACS_VERIFY=bytes`; at least one of each study.',
  },
  PACS_TARGETS: {
    default: 'none',
    meaning:
      'Names of further PACS, separated by commas, such as `archive`. Each has the variables above that begin with `PACS_` for itself, with its name in between: `PACS_ARCHIVE_URL`, `PACS_ARCHIVE_AUTH`, ….',
  },
  PACS_RULES: {
    default: 'none: everything goes to `PACS_URL`',
    meaning:
      'Which studies go to which of them: a JSON list such as `[{"serviceLevel": "stat", "modality": ["CT", "MR"], "facility": "Hill Clinic", "target": "archive"}]`. The first rule whose conditions all fit decides; what fits none goes to `PACS_URL` (`"target": "default"`).',
  },
  PACS_CHOICES: {
    default: 'none',
    meaning:
      'Names of the PACS among which a sender may choose (`default` is that of `PACS_URL`); the choice goes before the rules.',
  },
  SANDBOX_PORT: {
    default: '8042',
    meaning: 'Port of the sandbox PACS, which runs only where `PACS_URL` is unset.',
  },
  MAX_UPLOAD_BYTES: { default: '2147483648 (2 GiB)', meaning: 'Most bytes of one upload.' },
  MAX_CHUNK_BYTES: {
    default: '67108864 (64 MiB)',
    meaning: 'Most bytes of one tus request the API advertises.',
  },
  UPLOAD_TTL_HOURS: { default: '24', meaning: 'How long an unfinished upload can be resumed.' },
  UPLOAD_IDLE_SECONDS: {
    default: '20',
    meaning: 'How long a transfer may be silent before its request is ended; what came until then is kept.',
  },
  DUPLICATE_WINDOW_DAYS: {
    default: '30',
    meaning: 'How far back the same patient, date and modality counts as a duplicate; 0 turns it off.',
  },
  BYTES_GRACE_HOURS: {
    default: '24',
    meaning:
      'How long the bytes stay after an upload was delivered or rejected. Those of a cancelled or expired one go at once, those of a failed one stay until it is closed.',
  },
  REGISTRATION: { default: 'open', meaning: '`open` or `closed` (the first account can always be made).' },
  CORS_ORIGINS: {
    default: 'none',
    meaning: 'Origins of other web pages that may upload, separated by commas; `*` for any.',
  },
  TRUST_PROXY: {
    default: '0',
    meaning:
      'Number of proxies in front, or their addresses (IP, CIDR, `loopback`, `linklocal`, `uniquelocal`; separated by commas), so that client addresses are right.',
  },
  RATE_LIMIT_DISABLED: { default: '0', meaning: '`1` turns every rate limit off, for load tests.' },
  RATE_LIMIT_LOGIN_PER_MINUTE: { default: '5', meaning: 'Sign-in attempts per minute and address.' },
  RATE_LIMIT_REGISTER_PER_MINUTE: { default: '10', meaning: 'New accounts per minute and address.' },
  RATE_LIMIT_UPLOAD_INIT_PER_MINUTE: { default: '20', meaning: 'New uploads per minute and user.' },
  RATE_LIMIT_CHUNKS_PER_MINUTE: {
    default: '2000',
    meaning: 'Tus requests with bytes per minute and user; more are held back, far more are answered 503.',
  },
  JWT_PRIVATE_KEY: {
    default: 'made on first start in DATA_DIR/keys',
    meaning: 'RSA private key (PEM, PKCS #8) that signs the tokens. Give all servers the same.',
    secret: true,
  },
  DEDUPE_SECRET: {
    default: 'made on first start in DATA_DIR/keys',
    meaning: 'Secret of the duplicate check; at least 32 characters. Give all servers the same.',
    secret: true,
  },
  INCOMPLETE_STUDIES: {
    default: 'warn',
    meaning:
      'What becomes of a study of which images seem to be missing: `warn` delivers it and shows what is missing, `hold` waits until the sender adds files or sends it as it is. An upload can ask for either by `onDoubt`.',
  },
  METADATA_MISMATCH: {
    default: 'warn',
    meaning: 'The same for files that name another patient or study than the sender entered.',
  },
  CLINICAL_NOTE: {
    default: 'pdf,sr',
    meaning:
      'As what the clinical history goes into the study: `pdf` (Encapsulated PDF), `sr` (Basic Text SR), `pdf,sr`, or `none` for a PACS that takes neither.',
  },
  ARCHIVE_MAX_ENTRIES: { default: '20000', meaning: 'Most files in one ZIP.' },
  ARCHIVE_MAX_BYTES: {
    default: '8589934592 (8 GiB)',
    meaning: 'Most bytes of everything in one ZIP or gzip file, unpacked.',
  },
  ARCHIVE_MAX_RATIO: {
    default: '200',
    meaning: 'How many times larger than packed a file in an archive may be; looked at above 4 MiB.',
  },
  ARCHIVE_MAX_NAME_BYTES: { default: '1024', meaning: 'Longest path in a ZIP, in bytes.' },
  ARCHIVE_MAX_PATH_DEPTH: { default: '32', meaning: 'Most folders within one another in a ZIP.' },
  ARCHIVE_MAX_NESTING: {
    default: '1',
    meaning: '`1` opens a ZIP within a ZIP, `0` does not. What lies deeper is refused.',
  },
  INTAKE_CONCURRENCY: { default: '2', meaning: 'Uploads one worker checks at once.' },
  DELIVERY_CONCURRENCY: { default: '2', meaning: 'Studies one worker delivers at once.' },
  DELIVERY_EAGER: {
    default: 'off',
    meaning:
      '`stat` delivers the images of a STAT upload while the rest still arrives ([early delivery](delivery.md#early-delivery)); `off` delivers nothing before all of an upload is here.',
  },
  METRICS_PORT: {
    default: 'none',
    meaning:
      "Port of the server's metrics alone, `GET /metrics` for Prometheus, at the address `HOST` ([what is counted](metrics.md)).",
  },
  WORKER_METRICS_PORT: {
    default: 'none',
    meaning: "The same for the worker; on one machine it differs from the server's.",
  },
  METRICS_TOKEN: {
    default: '',
    meaning:
      'Bearer token of who reads metrics, 16 characters or more. With it they are also at `/metrics` of the main port; without it only at their own port, for anybody who reaches that.',
    secret: true,
  },
  SHUTDOWN_DELAY_SECONDS: {
    default: '1',
    meaning:
      'How long a server that stops goes on serving after `/readyz` says 503, so that a load balancer notices.',
  },
  LOG_LEVEL: { default: 'info', meaning: '`error`, `warn`, `info` or `debug`.' },
  LOG_TO_TERMINAL: {
    default: '0',
    meaning: '`1` lets `npm start` show every log line of the services on the terminal.',
  },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

/** Every environment variable RelayPACS reads; `docs/configuration.md` is made from it. */
export const CONFIG_VARIABLES: Record<VariableName, Variable> = VARIABLES;
