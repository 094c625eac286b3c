import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { type Browser, chromium } from 'playwright-core';
import { Upload as TusUpload, type UploadOptions } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../scripts/free-port.js';
import { projectRoot } from '../scripts/project-root.js';
import { ApiClient } from './support/api-client.js';
import { chromiumLaunchOptions } from './support/chromium.js';
import { runPython } from './support/python.js';
import { receivedBytes } from './support/received-bytes.js';
import { ServiceProcess } from './support/service-process.js';
import { type Stack, startStack } from './support/stack.js';
import { pageFile, startUppyPage, type UppyPage } from './support/uppy-page.js';

let page: UppyPage;
let stack: Stack;
let folder: string;
let jane: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs clients-'));
  page = await startUppyPage();
  stack = await startStack({ worker: false, env: { CORS_ORIGINS: page.origin } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await page?.stop();
  await rm(folder, { recursive: true, force: true });
});

const bearer = (token: string | undefined) => ({ Authorization: `Bearer ${token}` });

async function expectReceived(uploadId: string, contents: ReadonlyArray<Buffer>): Promise<void> {
  const upload = await jane.upload(uploadId);
  expect(upload).toMatchObject({ status: 'received', filesReceived: contents.length });
  const files = await Promise.all(upload.files.map(({ id }) => receivedBytes(stack, id)));
  const isSent = (file: Buffer) => contents.some((content) => content.equals(file));
  expect(files.map((file) => file.length).sort()).toEqual(contents.map(({ length }) => length).sort());
  expect(files.every(isSent)).toBe(true);
}

describe('tus-js-client in Node', () => {
  /** @returns the URL of the file once all of it is acknowledged */
  const send = (content: Buffer | Readable, options: UploadOptions) =>
    new Promise<string>((resolve, reject) => {
      const upload = new TusUpload(content, {
        endpoint: `${stack.baseUrl}/files`,
        retryDelays: [0, 500],
        onSuccess: () => resolve(upload.url ?? ''),
        onError: reject,
        ...options,
      });
      upload.start();
    });

  it.each<[string, UploadOptions]>([
    ['in chunks', { chunkSize: 256 * 1024 }],
    ['in one request with the creation', { uploadDataDuringCreation: true }],
    ['in chunks that begin with the creation', { uploadDataDuringCreation: true, chunkSize: 300_000 }],
    ['by POST alone', { overridePatchMethod: true, chunkSize: 400_000 }],
    ['as four slices at once that are joined', { parallelUploads: 4, chunkSize: 100_000 }],
    [
      'as slices with metadata of their own',
      { parallelUploads: 3, metadataForPartialUploads: { slice: 'yes' } },
    ],
  ])('sends a file %s', async (_how, options) => {
    const content = randomBytes(1_500_001);
    const upload = await jane.announce({ totalBytes: content.length });
    const metadata = { filename: 'CT ä.dcm', filetype: 'application/dicom' };
    await send(content, { headers: bearer(upload.uploadToken), metadata, ...options });
    await expectReceived(upload.id, [content]);
    expect((await jane.upload(upload.id)).files[0]).toMatchObject({ filename: 'CT ä.dcm' });
  });

  it('sends a stream whose length it does not know', async () => {
    const content = randomBytes(1_234_567);
    const pieces = Array.from({ length: 13 }, (_, i) => content.subarray(i * 100_000, (i + 1) * 100_000));
    const upload = await jane.announce({ totalBytes: content.length });
    await send(Readable.from(pieces, { objectMode: false }), {
      headers: bearer(upload.uploadToken),
      uploadLengthDeferred: true,
      chunkSize: 128 * 1024,
    });
    await expectReceived(upload.id, [content]);
  });

  it.each<[string, UploadOptions]>([
    ['one file', { chunkSize: 300_000 }],
    ['a file in parallel slices', { chunkSize: 200_000, parallelUploads: 4 }],
    ['a file sent with its creation', { uploadDataDuringCreation: true }],
  ])('needs no announced upload with an access token: %s', async (_what, options) => {
    const content = randomBytes(1_000_003);
    const somebody = await ApiClient.signUp(stack.baseUrl);
    const url = await send(content, {
      headers: bearer(somebody.token),
      metadata: { filename: 'x.dcm', patientName: 'Müller^Jörg', serviceLevel: 'stat' },
      ...options,
    });
    const { body } = await somebody.get<{ items: Array<{ id: string }> }>('/api/v1/uploads');
    expect(body.items).toMatchObject([
      {
        status: 'received',
        fileCount: 1,
        filesReceived: 1,
        patientName: 'Müller^Jörg',
        serviceLevel: 'stat',
      },
    ]);
    expect((await receivedBytes(stack, url)).equals(content)).toBe(true);
    expect((await somebody.upload(body.items[0]!.id)).files).toHaveLength(1);
  });

  /** Sends a file and remembers its URL in a file; dies of kill -9 after so many chunks, where a number is given. */
  const SENDER = `
    const [, endpoint, token, file, urls, dieAfter] = process.argv;
    const { createReadStream } = await import('node:fs');
    const { Upload, FileUrlStorage } = await import(${JSON.stringify(import.meta.resolve('tus-js-client'))});
    let chunks = 0;
    const upload = new Upload(createReadStream(file), {
      endpoint, chunkSize: 64 * 1024, headers: { Authorization: 'Bearer ' + token },
      urlStorage: new FileUrlStorage(urls),
      onChunkComplete: () => { chunks += 1; if (chunks === Number(dieAfter)) process.kill(process.pid, 'SIGKILL'); },
      onSuccess: () => console.log(JSON.stringify({ chunks, url: upload.url })),
      onError: (error) => { throw error; },
    });
    const [previous] = await upload.findPreviousUploads();
    if (previous) upload.resumeFromPreviousUpload(previous);
    upload.start();`;

  it('goes on in another process where a killed one ended', async () => {
    const content = randomBytes(64 * 1024 * 20);
    const file = path.join(folder, 'resumed.dcm');
    await writeFile(file, content);
    const upload = await jane.announce({ totalBytes: content.length });
    const run = async (...more: string[]) => {
      const values = [upload.tusEndpoint, upload.uploadToken, file, path.join(folder, 'urls.json'), ...more];
      const child = spawn(process.execPath, ['--input-type=module', '-e', SENDER, '--', ...values], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
      return { printed, signal: child.signalCode };
    };
    expect(await run('12')).toEqual({ printed: '', signal: 'SIGKILL' });
    const second = await run();
    expect(JSON.parse(second.printed)).toMatchObject({ chunks: 8 });
    expect((await jane.upload(upload.id)).files).toHaveLength(1);
    await expectReceived(upload.id, [content]);
  });
});

describe('a page of another origin in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch(chromiumLaunchOptions());
  });
  afterAll(() => browser?.close());

  it.each([
    ['tus-js-client', 'sendByTus'],
    ['Uppy', 'sendByUppy'],
  ] as const)('sends files by %s into an announced upload', async (_name, by) => {
    const sizes = [700_000, 0, 1, 250_000];
    const contents = sizes.map(pageFile);
    const upload = await jane.announce({ fileCount: sizes.length, totalBytes: 1_000_000 });
    const { tusEndpoint: endpoint, uploadToken: token } = upload;
    const urls = await page.send(browser, by, { endpoint, token, sizes, chunkSize: 200_000 });
    expect(urls).toHaveLength(sizes.length);
    await expectReceived(upload.id, contents);
    const names = (await jane.upload(upload.id)).files.map(({ filename }) => filename);
    expect(names.sort()).toEqual(sizes.map((_, n) => `Bild ${n} ä.dcm`));
  });

  it('sends a file by Uppy with an access token and nothing else', async () => {
    const somebody = await ApiClient.signUp(stack.baseUrl);
    const given = { endpoint: `${stack.baseUrl}/files`, token: somebody.token!, chunkSize: 200_000 };
    const [url] = await page.send(browser, 'sendByUppy', { ...given, sizes: [500_000] });
    expect((await receivedBytes(stack, url!)).equals(pageFile(500_000, 0))).toBe(true);
    const { body } = await somebody.get('/api/v1/uploads');
    expect(body.items).toMatchObject([{ status: 'received', fileCount: 1, filesReceived: 1 }]);
  });
});

describe("Debian's tuspy", () => {
  /** Sends a file up to an offset, then, by a client of its own that knows only the URL, the rest. */
  const SENDER = `
import sys
from tusclient import client
endpoint, token, file, chunk, checksum, stop_at = sys.argv[1:]
tus = client.TusClient(endpoint, headers={'Authorization': 'Bearer ' + token})
options = {'chunk_size': int(chunk), 'upload_checksum': checksum == 'yes', 'retries': 2, 'retry_delay': 1}
first = tus.uploader(file, metadata={'filename': 'tuspy.dcm'}, **options)
first.upload(stop_at=int(stop_at))
if int(stop_at) > 0:
    second = tus.uploader(file, url=first.url, **options)
    assert second.offset == int(stop_at), second.offset
    second.upload()
print(first.url)`;

  it.each([
    ['in one piece', { chunk: 2 ** 40, checksum: 'no', stopAt: 0 }],
    ['in one piece with its checksum', { chunk: 2 ** 40, checksum: 'yes', stopAt: 0 }],
    ['in small chunks', { chunk: 7_001, checksum: 'no', stopAt: 0 }],
    ['in small chunks, each with its checksum', { chunk: 7_001, checksum: 'yes', stopAt: 0 }],
    ['in two parts, the second by its URL', { chunk: 50_000, checksum: 'yes', stopAt: 150_000 }],
  ])('sends a file %s', async (_how, { chunk, checksum, stopAt }) => {
    const content = randomBytes(423_456);
    const file = path.join(folder, 'tuspy.dcm');
    await writeFile(file, content);
    const upload = await jane.announce({ totalBytes: content.length });
    const values = [upload.tusEndpoint, upload.uploadToken, file, chunk, checksum, stopAt];
    await runPython(SENDER, values.map(String));
    await expectReceived(upload.id, [content]);
  });

  it('needs no announced upload with an access token', async () => {
    const content = randomBytes(100_000);
    const file = path.join(folder, 'implicit.dcm');
    await writeFile(file, content);
    const somebody = await ApiClient.signUp(stack.baseUrl);
    const values = [`${stack.baseUrl}/files`, somebody.token!, file, '30000', 'yes', '0'];
    const url = await runPython(SENDER, values);
    expect((await receivedBytes(stack, url)).equals(content)).toBe(true);
    const { body } = await somebody.get('/api/v1/uploads');
    expect(body.items).toMatchObject([{ status: 'received', fileCount: 1 }]);
  });
});

describe('the script for curl in the guide for integrators', () => {
  let sandbox: ServiceProcess;
  let pacsUrl: string;
  beforeAll(async () => {
    const main = path.join(projectRoot, 'sandbox', 'dist', 'main.js');
    const port = await freePort();
    const env = { ...process.env, SANDBOX_DIR: path.join(folder, 'pacs'), SANDBOX_PORT: String(port) };
    sandbox = new ServiceProcess('sandbox', main, env, path.join(folder, 'sandbox.log'));
    await sandbox.start();
    pacsUrl = `http://127.0.0.1:${port}/dicom-web`;
  });
  afterAll(() => sandbox?.stop());

  /** Pastes it into bash behind a line that sets its variables. */
  async function paste(variables: Record<string, string>) {
    const guide = await readFile(path.join(projectRoot, 'docs', 'integrators.md'), 'utf8');
    const script = /## With curl\n[\s\S]*?```bash\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
    const settings = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
    const bash = spawn('bash', [], { stdio: ['pipe', 'pipe', 'pipe'] });
    bash.stdin.end(`${settings.join(' ')}\n${script}`);
    const [said, complained] = await Promise.all([text(bash.stdout), text(bash.stderr), once(bash, 'close')]);
    return { code: bash.exitCode, said, complained };
  }

  /** A way to the server that loses the answer on the second connection and breaks the fifth and the seventh. */
  async function startBadWay() {
    const { port } = new URL(stack.baseUrl);
    const mostBytes = new Map([
      [5, 3_000_000],
      [7, 5_000_000],
    ]);
    let connections = 0;
    const server = net.createServer((near) => {
      connections += 1;
      const nth = connections;
      let bytes = 0;
      const far = net.connect(Number(port), '127.0.0.1');
      const cut = () => void [near.destroy(), far.destroy()];
      near.on('error', cut).on('close', cut);
      far.on('error', cut).on('close', cut);
      near.on('data', (data) => {
        bytes += data.length;
        if (bytes > (mostBytes.get(nth) ?? Number.POSITIVE_INFINITY)) cut();
        else if (!far.write(data)) near.pause();
      });
      far.on('drain', () => near.resume());
      far.on('data', (data) => (nth === 2 ? cut() : near.write(data)));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  it('brings a study into the PACS over connections that break', async () => {
    const content = Buffer.from(makeSlice({ rows: 3200, columns: 3200 }));
    const file = path.join(folder, 'Größe 1.dcm');
    await writeFile(file, content);
    const somebody = await ApiClient.signUp(stack.baseUrl);
    const way = await startBadWay();
    const pasted = paste({ RELAY: way.url, TOKEN: somebody.token!, FILE: file });
    const uploads = async () => (await somebody.get('/api/v1/uploads')).body.items;
    await expect
      .poll(uploads, { timeout: 60_000 })
      .toMatchObject([{ status: 'received', filesReceived: 1, totalBytes: content.length }]);
    const [{ id }] = (await uploads()) as [{ id: string }];
    const { files } = await somebody.upload(id);
    expect(files).toMatchObject([{ filename: 'Größe 1.dcm', size: content.length }]);
    expect((await receivedBytes(stack, files[0]!.id)).equals(content)).toBe(true);

    const worker = await stack.addWorker({ PACS_URL: pacsUrl });
    const { code, said, complained } = await pasted;
    await worker.stop();
    way.server.close();
    expect({ code, said }).toEqual({ code: 0, said: 'Delivered: the PACS has confirmed it.\n' });
    expect(complained.match(/curl: /g)).toHaveLength(3);
  });

  it('says why a file does not get there', async () => {
    const file = path.join(folder, 'letter.txt');
    await writeFile(file, 'Dear colleague, please find attached');
    const somebody = await ApiClient.signUp(stack.baseUrl);
    const worker = await stack.addWorker({ PACS_URL: pacsUrl });
    const variables = { RELAY: stack.baseUrl, TOKEN: somebody.token!, FILE: file };
    const first = await paste(variables);
    expect(first).toMatchObject({ code: 1, said: '' });
    expect(first.complained).toMatch(/The upload is rejected: None of the files can go to the PACS/);
    await worker.stop();
    const second = await paste({ ...variables, TOKEN: 'wrong' });
    expect(second).toMatchObject({ code: 1, said: '' });
    expect(second.complained).toMatch(/^Refused with 401: .*INVALID_TOKEN/);
  });
});
