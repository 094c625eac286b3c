import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from '../../scripts/free-port.js';
import { findProgram } from '../../scripts/test-services.js';
import { type ServerProcess, startServer } from './processes.js';

/** A real S3 service on loopback: Ceph's gateway before a cluster of one monitor and one OSD in memory. */
export interface Radosgw {
  /** What `S3_ENDPOINT` is set to. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /**
   * Makes a bucket and returns its name. Ceph 16 encrypts objects put with `aws:kms` and {@link KMS_KEY_ID}; it takes
   * `AES256` without an error, but reports no encryption.
   */
  createBucket(name?: string): Promise<string>;
  /** Starts the gateway again on the same port; the objects are still there. */
  start(): Promise<void>;
  /** Stops the gateway for a while. */
  stop(): Promise<void>;
  /** kill -9 of the gateway. */
  kill(): Promise<void>;
  /** Stops everything for good and removes its folder. */
  dispose(): Promise<void>;
}

/** The key that the gateway knows for `aws:kms`. */
export const KMS_KEY_ID = 'relay-key';

const REGION = 'us-east-1';
const ACCESS_KEY = 'relaykey';
const SECRET_KEY = 'relaysecret';
const PROGRAMS = [
  'ceph',
  'ceph-authtool',
  'monmaptool',
  'ceph-mon',
  'ceph-osd',
  'radosgw',
  'radosgw-admin',
] as const;

type Programs = Record<(typeof PROGRAMS)[number], string>;

/**
 * Starts a Ceph gateway, or uses the S3 service that `RELAYPACS_TEST_S3_URL` (`http://key:secret@host:port`) names,
 * which can then not be stopped.
 */
export async function startRadosgw(): Promise<Radosgw> {
  const given = process.env.RELAYPACS_TEST_S3_URL;
  if (given) return givenService(new URL(given));
  const programs = findPrograms();
  const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-ceph-'));
  const [monPort, port] = [await freePort(), await freePort()];
  const configuration = path.join(dir, 'ceph.conf');
  const started: ServerProcess[] = [];
  const dispose = async () => {
    for (const server of started.reverse()) await server.kill();
    await rm(dir, { recursive: true, force: true });
  };
  const run = (program: keyof Programs, ...args: string[]) =>
    promisify(execFile)(programs[program], args, {
      cwd: dir,
      env: environment(configuration),
      timeout: 60_000,
    });
  const serve = async (program: keyof Programs, args: string[], isReady: () => Promise<boolean>) => {
    const server = await startServer({
      command: programs[program],
      args: ['-f', ...args],
      cwd: dir,
      env: environment(configuration),
      logFile: path.join(dir, `${program}.log`),
      isReady,
    });
    started.push(server);
    return server;
  };
  try {
    const cluster = randomUUID();
    for (const folder of ['mon', 'osd', 'rgw']) await mkdir(path.join(dir, folder));
    await writeFile(configuration, settings({ dir, cluster, monPort, port }));
    await makeKeyring(run);
    await run(
      'monmaptool',
      '--create',
      '--fsid',
      cluster,
      '--addv',
      'a',
      `[v2:127.0.0.1:${monPort}]`,
      'monmap',
    );
    await run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', 'monmap', '--keyring', 'keyring');
    await serve('ceph-mon', ['-i', 'a'], () => isListening(monPort));
    const osd = randomUUID();
    await run('ceph', 'osd', 'new', osd);
    await run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
    await serve('ceph-osd', ['-i', '0'], async () => true);

    const startGateway = () =>
      serve('radosgw', ['-n', 'client.rgw'], async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
    let gateway = await startGateway();
    const user = [
      '--uid=relay',
      '--display-name=relay',
      `--access-key=${ACCESS_KEY}`,
      `--secret-key=${SECRET_KEY}`,
    ];
    await run('radosgw-admin', '-n', 'client.rgw', 'user', 'create', ...user);
    return {
      ...access(`http://127.0.0.1:${port}`, ACCESS_KEY, SECRET_KEY),
      start: async () => {
        gateway = await startGateway();
      },
      stop: () => gateway.stop(),
      kill: () => gateway.kill(),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function findPrograms(): Programs {
  const found = PROGRAMS.map((name) => [name, findProgram(name)] as const);
  const missing = found.filter(([, file]) => file === undefined).map(([name]) => name);
  if (missing.length > 0) throw new Error(`${missing.join(', ')} of Ceph is missing: run "npm test" once.`);
  return Object.fromEntries(found) as Programs;
}

function environment(configuration: string): NodeJS.ProcessEnv {
  return { ...process.env, CEPH_CONF: configuration };
}

async function makeKeyring(run: (program: 'ceph-authtool', ...args: string[]) => Promise<unknown>) {
  const all = ['--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
  const add = (name: string, ...caps: string[]) =>
    run('ceph-authtool', 'keyring', '--gen-key', '-n', name, ...caps);
  await run(
    'ceph-authtool',
    '--create-keyring',
    'keyring',
    '--gen-key',
    '-n',
    'mon.',
    '--cap',
    'mon',
    'allow *',
  );
  await add('client.admin', '--cap', 'mon', 'allow *', ...all);
  await add('client.rgw', '--cap', 'mon', 'allow *', ...all);
  await add('osd.0', '--cap', 'mon', 'allow profile osd', ...all);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

function settings({
  dir,
  cluster,
  monPort,
  port,
}: {
  dir: string;
  cluster: string;
  monPort: number;
  port: number;
}) {
  return `[global]
fsid = ${cluster}
mon host = [v2:127.0.0.1:${monPort}]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv4 = true
ms bind ipv6 = false
ms bind msgr1 = false
auth allow insecure global id reclaim = false
keyring = ${dir}/keyring
run dir = ${dir}
admin socket =
pid file =
log file =
log to stderr = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
[mon]
mon data = ${dir}/mon
[osd]
osd data = ${dir}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
[client]
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw data = ${dir}/rgw
rgw enable usage log = false
rgw enable apis = s3
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${KMS_KEY_ID}=${Buffer.alloc(32, 'k').toString('base64')}
`;
}

function access(endpoint: string, accessKeyId: string, secretAccessKey: string) {
  const createBucket = async (name = `relay-${randomUUID()}`) => {
    const client = new S3Client({
      endpoint,
      region: REGION,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    try {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    } finally {
      client.destroy();
    }
    return name;
  };
  return { endpoint, region: REGION, accessKeyId, secretAccessKey, createBucket };
}

function givenService(url: URL): Radosgw {
  const refuse = async () => {
    throw new Error('The S3 service of RELAYPACS_TEST_S3_URL is not ours to stop: unset it for this test.');
  };
  return {
    ...access(url.origin, decodeURIComponent(url.username), decodeURIComponent(url.password)),
    start: refuse,
    stop: refuse,
    kill: refuse,
    dispose: async () => {},
  };
}
