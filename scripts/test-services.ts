import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';

/** A real program or server the tests run against. */
export interface TestService {
  name: string;
  /** Debian packages that bring it. */
  packages: string[];
  /** The variable that names one to use instead, and what it holds. */
  variable?: { name: string; holds: string };
  /** Where it is; undefined when it is missing. */
  locate(): string | undefined;
}

const ORTHANC_PLUGIN = 'libOrthancDicomWeb.so';

/** Administrators' programs are not on the PATH of ordinary users. */
const EXTRA_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/** The first of these programs that is on PATH. */
export function findProgram(...names: string[]): string | undefined {
  return findPrograms(...names)[0];
}

function findPrograms(...names: string[]): string[] {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...EXTRA_FOLDERS];
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).filter(isExecutable);
}

/** Orthanc's DICOMweb plugin. */
export function findOrthancPlugin(): string | undefined {
  const folders = [
    '/usr/share/orthanc/plugins',
    '/usr/local/share/orthanc/plugins',
    '/usr/lib/orthanc/plugins',
  ];
  return folders.map((folder) => path.join(folder, ORTHANC_PLUGIN)).find((file) => existsSync(file));
}

export function findChromium(): string | undefined {
  const given = process.env.RELAYPACS_TEST_CHROMIUM;
  if (given) return isExecutable(given) ? given : undefined;
  return findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
}

/** A Python that has the tus client tuspy: the first one on PATH need not be the system's. */
export function findPythonWithTus(): string | undefined {
  const isThere = 'import sys, importlib.util; sys.exit(importlib.util.find_spec("tusclient") is None)';
  return findPrograms('python3').find((python) => spawnSync(python, ['-c', isThere]).status === 0);
}

/** Ceph's gateway, when all that a cluster of one needs is there. */
function findCeph(): string | undefined {
  const needed = ['ceph', 'ceph-authtool', 'monmaptool', 'ceph-mon', 'ceph-osd', 'radosgw-admin'];
  return needed.every((name) => findProgram(name)) ? findProgram('radosgw') : undefined;
}

export const TEST_SERVICES: TestService[] = [
  {
    name: 'Orthanc with its DICOMweb plugin',
    packages: ['orthanc', 'orthanc-dicomweb'],
    variable: {
      name: 'RELAYPACS_TEST_ORTHANC_URL',
      holds: 'the root of a running, empty one: http://user:password@host:8042',
    },
    locate: () => process.env.RELAYPACS_TEST_ORTHANC_URL || (findOrthancPlugin() && findProgram('Orthanc')),
  },
  {
    name: 'Redis or Valkey',
    packages: ['redis-server'],
    variable: { name: 'RELAYPACS_TEST_REDIS_URL', holds: 'a running, empty one: redis://host:6379' },
    locate: () => process.env.RELAYPACS_TEST_REDIS_URL || findProgram('redis-server', 'valkey-server'),
  },
  {
    name: 'Chromium',
    packages: ['chromium', 'fonts-liberation'],
    variable: { name: 'RELAYPACS_TEST_CHROMIUM', holds: 'the path of its program' },
    locate: findChromium,
  },
  { name: 'Caddy', packages: ['caddy'], locate: () => findProgram('caddy') },
  { name: 'Python with tuspy', packages: ['python3-tuspy'], locate: findPythonWithTus },
  {
    name: 'S3 (Ceph with its gateway)',
    packages: ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common', 'ceph-base'],
    variable: { name: 'RELAYPACS_TEST_S3_URL', holds: 'a running one: http://key:secret@host:port' },
    locate: () => process.env.RELAYPACS_TEST_S3_URL || findCeph(),
  },
  { name: 'DCMTK (dcmdump)', packages: ['dcmtk'], locate: () => findProgram('dcmdump') },
  { name: 'dicom3tools (dciodvfy)', packages: ['dicom3tools'], locate: () => findProgram('dciodvfy') },
  { name: 'Poppler (pdftotext)', packages: ['poppler-utils'], locate: () => findProgram('pdftotext') },
  { name: 'OpenSSL', packages: ['openssl'], locate: () => findProgram('openssl') },
];

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
