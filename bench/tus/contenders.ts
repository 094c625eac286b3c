import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { ApiClient } from '../../e2e/support/api-client.js';
import { ServiceProcess } from '../../e2e/support/service-process.js';
import { startStack } from '../../e2e/support/stack.js';
import type { Target } from './load.js';

const MIB = 1024 * 1024;

/** A server under load. */
export interface Contender {
  pid: number;
  /** Where to send `files` files of `bytes` bytes in all. */
  target(files: number, bytes: number): Promise<Target>;
  stop(): Promise<unknown>;
}

/** A bare Node server, or @tus/server with its FileStore on plain `http`. */
export async function startPeer(
  name: 'stock' | 'bare',
  dir: string,
  env: Record<string, string> = {},
): Promise<Contender> {
  const folder = await mkdtemp(path.join(dir, `${name}-`));
  const script = path.join(import.meta.dirname, `${name}-server.ts`);
  const log = path.join(dir, `${name}.log`);
  const peer = new ServiceProcess(name, script, { ...process.env, ...env }, log, {
    args: [folder],
    execArgv: ['--import', 'tsx'],
  });
  const endpoint = await peer.start();
  return {
    pid: peer.pid,
    target: async () => ({ endpoint, headers: {}, checksum: false }),
    stop: () => peer.stop(),
  };
}

/** RelayPACS as it is deployed: accounts, records, leases, and a checksum with every chunk that can have one. */
export async function startOurs(env: Record<string, string> = {}): Promise<Contender> {
  const stack = await startStack({
    worker: false,
    env: { MAX_UPLOAD_BYTES: String(4096 * MIB), LOG_LEVEL: 'warn', ...env },
  });
  const client = await ApiClient.signUp(stack.baseUrl);
  return {
    pid: stack.server.pid,
    async target(files, bytes) {
      const upload = await client.announce({ fileCount: files, totalBytes: bytes });
      const headers = { authorization: `Bearer ${upload.uploadToken}` };
      return { endpoint: upload.tusEndpoint, headers, checksum: true };
    },
    stop: () => stack.stop(),
  };
}
