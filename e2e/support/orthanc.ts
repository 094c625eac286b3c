import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../scripts/free-port.js';
import { loopbackShim } from '../../scripts/loopback-shim.js';
import { findOrthancPlugin, findProgram } from '../../scripts/test-services.js';
import { type ServerProcess, startServer } from './processes.js';

export interface OrthancOptions {
  /** Where it keeps its data; kept at the end. Default: a temporary folder, removed by `stop`. */
  dir?: string;
  /** HTTP port; default: a free one. */
  port?: number;
  /** Variables on top of this process's. */
  env?: Record<string, string>;
  /** Settings in place of, or beside, those of the tests. */
  settings?: Record<string, unknown>;
}

/** A real Orthanc with DICOMweb, on loopback only. */
export interface Orthanc {
  /** DICOMweb root: what `PACS_URL` is set to, with `PACS_AUTH=basic`. */
  readonly url: string;
  /** Root of its own REST API. */
  readonly restUrl: string;
  readonly username: string;
  readonly password: string;
  /** DIMSE port (C-STORE, C-ECHO), called AE title ORTHANC; undefined for one given by URL. */
  readonly dicomPort: number | undefined;
  /** undefined while it is not running, and for one given by URL. */
  readonly pid: number | undefined;
  /** Asks its REST API, signed in. */
  rest(path: string, init?: RequestInit): Promise<Response>;
  /** Starts it again on the same data and ports. */
  start(): Promise<void>;
  /** Stops it for a while; its data stays. */
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Stops it for good and removes its temporary folder. */
  dispose(): Promise<void>;
}

const USERNAME = 'relay';
const PASSWORD = 'relay-secret';

/** Starts Orthanc, or uses the one that `RELAYPACS_TEST_ORTHANC_URL` names (it can then not be stopped). */
export async function startOrthanc(options: OrthancOptions = {}): Promise<Orthanc> {
  const given = process.env.RELAYPACS_TEST_ORTHANC_URL;
  if (given) return givenOrthanc(new URL(given));
  const program = findProgram('Orthanc');
  const plugin = findOrthancPlugin();
  if (!program || !plugin)
    throw new Error('Orthanc with its DICOMweb plugin is missing: run "npm test" once.');

  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'relaypacs-orthanc-')));
  await mkdir(dir, { recursive: true });
  const port = options.port ?? (await freePort());
  const dicomPort = await freePort();
  const configuration = path.join(dir, 'orthanc.json');
  await writeFile(
    configuration,
    JSON.stringify({ ...settings(dir, port, dicomPort, plugin), ...options.settings }, null, 2),
  );

  const shim = await loopbackShim();
  const restUrl = `http://127.0.0.1:${port}`;
  const rest = restClient(restUrl, USERNAME, PASSWORD);
  let server: ServerProcess | undefined;
  const start = async () => {
    server = await startServer({
      command: program,
      args: [configuration],
      cwd: dir,
      env: { ...process.env, ...options.env, ...(shim && { LD_PRELOAD: shim }) },
      logFile: path.join(dir, 'orthanc.log'),
      isReady: async () => (await rest('/system', { signal: AbortSignal.timeout(2000) })).ok,
    });
  };
  const stop = async () => server?.stop();
  await start();
  return {
    url: `${restUrl}/dicom-web`,
    restUrl,
    username: USERNAME,
    password: PASSWORD,
    dicomPort,
    get pid() {
      return server?.isRunning() ? server.pid : undefined;
    },
    rest,
    start,
    stop,
    kill: async () => server?.kill(),
    dispose: async () => {
      await stop();
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}

function restClient(root: string, username: string, password: string) {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return (resource: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set('authorization', authorization);
    return fetch(`${root}${resource}`, { ...init, headers });
  };
}

function givenOrthanc(root: URL): Orthanc {
  const [username, password] = [decodeURIComponent(root.username), decodeURIComponent(root.password)];
  const restUrl = `${root.origin}${root.pathname.replace(/\/+$/, '')}`;
  const refuse = async () => {
    throw new Error('The Orthanc of RELAYPACS_TEST_ORTHANC_URL is not ours to stop: unset it for this test.');
  };
  return {
    url: `${restUrl}/dicom-web`,
    restUrl,
    username,
    password,
    dicomPort: undefined,
    pid: undefined,
    rest: restClient(restUrl, username, password),
    start: refuse,
    stop: refuse,
    kill: refuse,
    dispose: async () => {},
  };
}

function settings(dir: string, port: number, dicomPort: number, plugin: string) {
  return {
    Name: 'relaypacs-test',
    StorageDirectory: path.join(dir, 'db'),
    IndexDirectory: path.join(dir, 'db'),
    TemporaryDirectory: path.join(dir, 'tmp'),
    Plugins: [plugin],
    HttpServerEnabled: true,
    HttpPort: port,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: true,
    RegisteredUsers: { [USERNAME]: PASSWORD },
    SslEnabled: false,
    DefaultEncoding: 'Utf8',
    DicomServerEnabled: true,
    DicomAet: 'ORTHANC',
    DicomPort: dicomPort,
    DicomCheckCalledAet: false,
    DicomAlwaysAllowStore: true,
    DicomAlwaysAllowEcho: true,
    UnknownSopClassAccepted: true,
    OverwriteInstances: false,
    StableAge: 5,
    HttpThreadsCount: 8,
    HttpCompressionEnabled: false,
    KeepAlive: true,
    HttpRequestTimeout: 600,
    SaveJobs: false,
    ExecuteLuaEnabled: false,
    DicomWeb: {
      Enable: true,
      Root: '/dicom-web/',
      EnableWado: false,
      PublicRoot: '/dicom-web/',
      Ssl: false,
      StudiesMetadata: 'Full',
      SeriesMetadata: 'Full',
      QidoCaseSensitive: true,
    },
  };
}
