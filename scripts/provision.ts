import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { loopbackShim } from './loopback-shim.js';
import { isMainModule } from './main-module.js';
import { isRoot } from './postgres-account.js';
import { runCommand } from './run-command.js';
import { findProgram, TEST_SERVICES, type TestService } from './test-services.js';

/** Debian's hook that keeps freshly installed services from starting: the tests start their own. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';

/**
 * Sees to it that everything the end-to-end tests run against is there: installs it by apt as root on Debian and Ubuntu,
 * else uses what is on PATH or named by variables.
 *
 * @param log - told what is installed
 * @throws Error that names what is missing and how to provide it
 */
export async function provision(log: (line: string) => void): Promise<void> {
  const compiler: TestService = {
    name: 'a C compiler',
    packages: ['gcc', 'libc6-dev'],
    locate: () => findProgram('cc', 'gcc', 'clang'),
  };
  const wanted = process.platform === 'linux' ? [...TEST_SERVICES, compiler] : TEST_SERVICES;
  const absent = wanted.filter((service) => service.locate() === undefined);
  if (absent.length > 0 && isRoot() && findProgram('apt-get')) await install(absent, log);

  const missing = TEST_SERVICES.filter((service) => service.locate() === undefined);
  if (missing.length > 0) throw new Error(describeMissing(missing));
  if (!process.env.RELAYPACS_TEST_ORTHANC_URL && (await loopbackShim()) === undefined) {
    log('Without a C compiler Orthanc listens on all addresses; it is told to accept local requests only.');
  }
}

/** What is missing and how to provide it, one service a line. */
export function describeMissing(missing: readonly TestService[]): string {
  const lines = missing.map(({ name, variable }) => {
    const instead = variable ? `, or set ${variable.name} to ${variable.holds}` : '';
    return `  - ${name}: put it on PATH${instead}`;
  });
  const packages = missing.flatMap((service) => service.packages).join(' ');
  return `The end-to-end tests need:\n${lines.join('\n')}\nOn Debian and Ubuntu: apt-get install ${packages}`;
}

async function install(services: readonly TestService[], log: (line: string) => void): Promise<void> {
  const packages = services.flatMap((service) => service.packages);
  log(`Installing ${packages.join(', ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const ownPolicy = !existsSync(POLICY_FILE);
  if (ownPolicy) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const updated = await runCommand('apt-get', ['update', '-qq'], { env });
    // An unreachable source need not matter: the install decides.
    if (updated.code !== 0) log(updated.output.trim());
    const options = ['install', '-y', '-qq', '--no-install-recommends'];
    const installed = await runCommand('apt-get', [...options, ...packages], { env });
    if (installed.code !== 0) log(installed.output.trim());
  } finally {
    if (ownPolicy) rmSync(POLICY_FILE, { force: true });
  }
}

function withoutPassword(place: string | undefined): string | undefined {
  return place?.replace(/\/\/[^@/]*@/, '//');
}

if (isMainModule(import.meta.url)) {
  try {
    await provision((line) => console.log(line));
    for (const { name, locate } of TEST_SERVICES) console.log(`${name}: ${withoutPassword(locate())}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
