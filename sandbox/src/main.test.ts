import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXPLICIT_LE, encodeElement, encodingOf, makeDicomFile } from './testing/dicom-file.js';
import { BOUNDARY, multipartBody, STOW_TYPE } from './testing/sandbox-client.js';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const children: ChildProcess[] = [];
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sandbox-main-test-'));
});
afterEach(async () => {
  for (const child of children.splice(0))
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

function start(environment: Record<string, string | undefined> = {}): ChildProcess {
  const env = { ...process.env, SANDBOX_DIR: dir, SANDBOX_PORT: '0', ...environment };
  const child = fork(MAIN, {
    env,
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  children.push(child);
  return child;
}

async function portOf(child: ChildProcess): Promise<number> {
  const [message] = (await once(child, 'message')) as [{ type: string; port: number }];
  expect(message.type).toBe('ready');
  return message.port;
}

async function failureOf(child: ChildProcess): Promise<{ code: number; text: string }> {
  let text = '';
  child.stderr?.on('data', (data) => {
    text += data;
  });
  const [code] = await once(child, 'close');
  return { code: Number(code), text };
}

describe('the sandbox process', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'says when it is ready, answers, and stops cleanly on %s',
    async (signal) => {
      const child = start();
      const port = await portOf(child);
      expect((await fetch(`http://127.0.0.1:${port}/dicom-web/studies`)).status).toBe(200);
      child.kill(signal);
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
  );

  it('stops when its parent is gone', async () => {
    const child = start();
    await portOf(child);
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each([
    [{ SANDBOX_PORT: 'http' }, 'SANDBOX_PORT must be a port number'],
    [{ SANDBOX_PORT: '70000' }, 'SANDBOX_PORT must be a port number'],
    [{ SANDBOX_DIR: undefined }, 'SANDBOX_DIR must name the folder'],
    [{ SANDBOX_DIR: '/dev/null/x' }, 'cannot start with SANDBOX_DIR=/dev/null/x'],
    [{ SANDBOX_HOST: '203.0.113.1' }, 'SANDBOX_HOST=203.0.113.1'],
  ])('refuses %j with a sentence', async (environment, sentence) => {
    const { code, text } = await failureOf(start(environment));
    expect(code).toBe(1);
    expect(text).toContain(sentence);
    expect(text).not.toContain('    at ');
  });

  it('says that its port is taken, and leaves the folder of the other one alone', async () => {
    const port = await portOf(start());
    const { text } = await failureOf(start({ SANDBOX_PORT: String(port) }));
    expect(text).toContain(`Port ${port} is taken; set SANDBOX_PORT to another one.`);
  });

  it('holds what it confirmed when it is killed, and nothing half', async () => {
    const child = start();
    const port = await portOf(child);
    const file = makeDicomFile();
    const stow = {
      method: 'POST',
      headers: { 'Content-Type': STOW_TYPE },
      body: multipartBody([file.bytes]),
    };
    expect((await fetch(`http://127.0.0.1:${port}/dicom-web/studies`, stow)).status).toBe(200);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const again = await portOf(start());
    const found = await fetch(`http://127.0.0.1:${again}/dicom-web/instances?SOPInstanceUID=${file.sopUid}`);
    expect(await found.json()).toHaveLength(1);
  });

  it.runIf(process.platform === 'linux')(
    'takes a part of 300 MB in little memory',
    async () => {
      const child = start();
      const port = await portOf(child);
      const before = await peakMemoryOf(child);
      const megabytes = 300;
      const chunk = Buffer.alloc(1024 * 1024, 3);
      const file = makeDicomFile({ elements: { '7FE00010': undefined } });
      const pixels = encodeElement(
        '7FE00010',
        'OW',
        Buffer.alloc(0),
        encodingOf(EXPLICIT_LE),
        megabytes * chunk.length,
      );
      const answered = new Promise<number | undefined>((resolve, reject) => {
        const options = { port, host: '127.0.0.1', path: '/dicom-web/studies', method: 'POST' };
        const post = request({ ...options, headers: { 'Content-Type': STOW_TYPE } }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        });
        post.on('error', reject);
        void (async () => {
          post.write(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`);
          post.write(Buffer.concat([file.bytes, pixels]));
          for (let sent = 0; sent < megabytes; sent++) if (!post.write(chunk)) await once(post, 'drain');
          post.end(`\r\n--${BOUNDARY}--\r\n`);
        })();
      });
      expect(await answered).toBe(200);
      let received = 0;
      const retrieved = await fetch(`http://127.0.0.1:${port}/dicom-web/studies/${file.studyUid}`);
      for await (const bytes of retrieved.body ?? []) received += bytes.length;
      expect(received).toBeGreaterThan(megabytes * chunk.length);
      expect((await peakMemoryOf(child)) - before).toBeLessThan(80 * 1024);
    },
    60_000,
  );
});

/** Peak resident memory of a process, in KiB. */
async function peakMemoryOf(child: ChildProcess): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
}
