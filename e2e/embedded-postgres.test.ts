import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { canReach, isRoot, unprivilegedAccount } from '../scripts/postgres-account.js';
import { commandLine, identifyProcess } from '../scripts/process-identity.js';
import { projectRoot } from '../scripts/project-root.js';

let folder: string;
let dataDir: string;
let databases: EmbeddedPostgres[];
let starters: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaypacs pg '));
  chmodSync(folder, 0o755);
  dataDir = path.join(folder, 'my data');
  databases = [];
  starters = [];
});
afterEach(async () => {
  for (const starter of starters) starter.kill('SIGKILL');
  for (const database of databases) await database.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(log?: (line: string) => void): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ dataDir, ...(log && { log }) });
  databases.push(database);
  return database;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Starts the database from a process of its own, which says on its first line how that went. */
async function startElsewhere(
  uid?: number,
): Promise<{ starter: ChildProcess; pid: number; url: string; error?: string }> {
  const script = path.join(folder, 'starter.mjs');
  const module = pathToFileURL(path.join(projectRoot, 'scripts', 'embedded-postgres.ts')).href;
  writeFileSync(
    script,
    `import { startEmbeddedPostgres } from ${JSON.stringify(module)};
     const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\\n');
     try {
       const { pid, url, stop } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
       process.on('SIGTERM', () => stop().then(() => process.exit(0)));
       say({ pid, url });
     } catch (error) {
       say({ error: error.message });
     }`,
  );
  const starter = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', script], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  starters.push(starter);
  const [line] = await once(starter.stdout!.setEncoding('utf8'), 'data');
  return { starter, ...JSON.parse(line) };
}

async function kill(starter: ChildProcess): Promise<void> {
  const ended = once(starter, 'exit');
  starter.kill('SIGKILL');
  await ended;
}

describe('the embedded PostgreSQL', () => {
  it('keeps its data from start to start, in a path with spaces', async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const { pid } = first;
    await first.stop();
    expect(identifyProcess(pid)).toBeUndefined();
    const second = await start();
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('lets the application in by password only, without rights over the server, on loopback only', async () => {
    const { url, port, pid, dataDir: place } = await start();
    const [role] = await query(
      url,
      `SELECT rolsuper, current_setting('listen_addresses') AS listen, current_setting('fsync') AS fsync,
              lower('Ä') AS lower FROM pg_roles WHERE rolname = current_user`,
    );
    expect(role).toEqual({ rolsuper: false, listen: '127.0.0.1', fsync: 'on', lower: 'ä' });
    const { password } = new URL(url);
    expect(password.length).toBeGreaterThanOrEqual(32);
    await expect(query(url.replace(password, 'wrong'), 'SELECT 1')).rejects.toThrow(
      'password authentication failed',
    );
    await expect(query(`postgres://postgres@127.0.0.1:${port}/postgres`, 'SELECT 1')).rejects.toThrow(
      /password/,
    );
    expect(commandLine(pid)).not.toContain(password);
    expect(statSync(path.join(place, 'passwords.json')).mode & 0o777).toBe(0o600);
    const logs = readdirSync(path.join(place, 'log')).map((name) =>
      readFileSync(path.join(place, 'log', name), 'utf8'),
    );
    expect(logs.join('')).toContain('ready to accept connections');
    expect(logs.join('')).not.toContain(password);
  });

  it('is adopted after a kill -9 of its starter', async () => {
    const orphan = await startElsewhere();
    await query(orphan.url, 'CREATE TABLE kept AS SELECT 1 AS answer');
    await kill(orphan.starter);
    expect(identifyProcess(orphan.pid)).toBeDefined();
    const adopted = await start();
    expect(adopted).toMatchObject({ adopted: true, pid: orphan.pid, url: orphan.url });
    expect(await query(adopted.url, 'SELECT answer FROM kept')).toEqual([{ answer: 1 }]);
    await adopted.stop();
    expect(identifyProcess(orphan.pid)).toBeUndefined();
  });

  it('comes back by itself on the same URL, with everything committed, after a kill -9 of its own', async () => {
    const said: string[] = [];
    const database = await start((line) => said.push(line));
    const { url, pid } = database;
    await query(url, 'CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number');
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(said).toContain('PostgreSQL runs again.'), 30_000);
    expect(database.pid).not.toBe(pid);
    expect(await query(url, 'SELECT count(*)::int FROM kept')).toEqual([{ count: 1000 }]);
  });

  it('recovers on the next start after a kill -9 of starter and server together', async () => {
    const lost = await startElsewhere();
    await query(lost.url, 'CREATE TABLE kept AS SELECT 7 AS answer');
    await kill(lost.starter);
    process.kill(lost.pid, 'SIGKILL');
    await vi.waitFor(() => expect(identifyProcess(lost.pid)).toBeUndefined());
    const recovered = await start();
    expect(recovered.pid).not.toBe(lost.pid);
    expect(await query(recovered.url, 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
  });

  it('starts although another program has got the pid in its stale postmaster.pid', async () => {
    const first = await start();
    await first.stop();
    const clusterDir = path.join(first.dataDir, 'cluster');
    const { uid, gid } = statSync(clusterDir);
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
      uid,
      gid,
      cwd: '/',
    });
    starters.push(other);
    const pidFile = path.join(clusterDir, 'postmaster.pid');
    writeFileSync(pidFile, `${other.pid}\n${clusterDir}\n0\n${first.port}\n\n127.0.0.1\n0 0\nready   \n`);
    chownSync(pidFile, uid, gid);
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(identifyProcess(other.pid!)).toBeDefined();
  });

  it('refuses a second starter of the same DATA_DIR and goes on undisturbed', async () => {
    const { url, pid } = await start();
    const second = await startElsewhere();
    expect(second.error).toBe(
      `The embedded database of ${dataDir} is already in use by process ${process.pid}.`,
    );
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow('already in use');
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(identifyProcess(pid)).toBeDefined();
  });
});

describe.skipIf(!isRoot())('the embedded PostgreSQL started by root', () => {
  it('runs as an unprivileged account which can only pass through DATA_DIR', async () => {
    const { pid, dataDir: place } = await start();
    const { uid, gid } = unprivilegedAccount(path.join(place, 'cluster'));
    expect(uid).not.toBe(0);
    expect(statSync(`/proc/${pid}`).uid).toBe(uid);
    expect(statSync(dataDir)).toMatchObject({ uid: 0, gid, mode: 0o40710 });
    expect(statSync(path.join(place, 'cluster'))).toMatchObject({ uid, mode: 0o40700 });
  });

  it('puts its data where that account can reach it when DATA_DIR lies below a private folder', async () => {
    chmodSync(folder, 0o700);
    mkdirSync(dataDir);
    const said: string[] = [];
    const first = await start((line) => said.push(line));
    try {
      expect(first.dataDir).toMatch(/^\/var\/lib\/relaypacs\/[0-9a-f]{16}$/);
      expect(said.join()).toContain(first.dataDir);
      await query(first.url, 'CREATE TABLE kept AS SELECT 3 AS answer');
      await first.stop();
      const second = await start();
      expect(second.dataDir).toBe(first.dataDir);
      expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 3 }]);
      await second.stop();
    } finally {
      rmSync(first.dataDir, { recursive: true, force: true });
    }
  });

  it('also runs for an ordinary user, as that user', async ({ skip }) => {
    const account = unprivilegedAccount('/nonexistent');
    const reachable = [projectRoot, process.execPath].every((place) =>
      canReach(path.dirname(place), account),
    );
    if (!reachable) skip('the project lies below a private folder');
    mkdirSync(dataDir);
    chownSync(dataDir, account.uid, account.gid);
    const { starter, pid, url, error } = await startElsewhere(account.uid);
    expect(error).toBeUndefined();
    expect(statSync(`/proc/${pid}`).uid).toBe(account.uid);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const ended = once(starter, 'exit');
    starter.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(identifyProcess(pid)).toBeUndefined();
    expect(existsSync(path.join(dataDir, 'postgres', 'lock'))).toBe(false);
  });
});
