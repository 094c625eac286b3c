import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSandbox } from './app.js';
import { makeDicomFile } from './testing/dicom-file.js';
import { partsOf, TestSandbox } from './testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

describe('methods and addresses', () => {
  it.each([
    ['DELETE', '/studies', 'GET,POST'],
    ['DELETE', '/studies/1.2', 'GET,POST'],
    ['PUT', '/studies', 'GET,POST'],
    ['DELETE', '/series', 'GET'],
    ['POST', '/instances', 'GET'],
    ['DELETE', '/studies/1.2/series/1.2', 'GET'],
    ['DELETE', '/studies/1.2/series/1.2/instances/1.2', 'GET'],
    ['OPTIONS', '/studies', 'GET,POST'],
  ])('answers 405 to %s %s', async (method, path, allowed) => {
    const response = await fetch(sandbox.url + path, { method });
    expect([response.status, response.headers.get('allow'), await response.text()]).toEqual([
      405,
      allowed,
      '',
    ]);
  });

  it('deletes nothing', async () => {
    const file = makeDicomFile();
    await sandbox.stow([file.bytes]);
    await fetch(`${sandbox.url}/studies/${file.studyUid}`, { method: 'DELETE' });
    expect(await sandbox.json('/studies')).toHaveLength(1);
  });

  it.each([
    '',
    '/',
    '/foo',
    '/patients',
    '/studies//series',
    '/studies/1/series/2/instances/3/frames/1',
    '/studies/1/x',
  ])('answers 404 in Orthanc\'s words at "%s"', async (path) => {
    const response = await sandbox.get(path);
    expect([response.status, await response.json()]).toMatchObject([
      404,
      { Message: 'Unknown resource', OrthancStatus: 17, Method: 'GET', Uri: `/dicom-web${path}` },
    ]);
  });

  it('names itself as the client addressed it', async () => {
    await sandbox.stow([makeDicomFile().bytes]);
    const answer = await new Promise<string>((resolve) => {
      const socket = createConnection(sandbox.port, '127.0.0.1');
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('close', () => resolve(text));
      socket.end('GET /dicom-web/studies HTTP/1.1\r\nHost: pacs.example:1234\r\nConnection: close\r\n\r\n');
    });
    expect(answer).toContain('"http://pacs.example:1234/dicom-web/studies/2.25.');
  });

  it('survives what is no HTTP', async () => {
    for (const garbage of [
      '\r\n\r\n',
      'garbage\r\n\r\n',
      'GET /%%% HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      '\0'.repeat(1000),
    ]) {
      await new Promise<void>((resolve) => {
        const socket = createConnection(sandbox.port, '127.0.0.1');
        socket
          .on('error', () => undefined)
          .on('close', () => resolve())
          .resume();
        socket.end(garbage);
      });
    }
    expect((await sandbox.get('/studies')).status).toBe(200);
  });
});

describe('starting again', () => {
  it('holds what it held', async () => {
    const [file, other] = [makeDicomFile(), makeDicomFile()];
    await sandbox.stow([file.bytes, other.bytes]);
    const before = await sandbox.json('/instances');
    await sandbox.restart();
    const after = await sandbox.json('/instances');
    expect(JSON.stringify(after)).toBe(
      JSON.stringify(before).replaceAll(/127\.0\.0\.1:\d+/g, `127.0.0.1:${sandbox.port}`),
    );
    const { studyUid, seriesUid, sopUid } = file;
    const path = `/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`;
    expect(await partsOf(await sandbox.get(path))).toEqual([file.bytes]);
  });

  it('makes missing and broken sidecar files anew', async () => {
    await sandbox.stow([makeDicomFile().bytes, makeDicomFile().bytes, makeDicomFile().bytes]);
    const before = (await sandbox.json('/instances')).map((each) => each['00080018']?.Value?.[0]).sort();
    const sidecars = await sidecarPaths();
    await rm(sidecars[0]!);
    await writeFile(sidecars[1]!, '{"attrib');
    await sandbox.restart();
    expect((await sandbox.json('/instances')).map((each) => each['00080018']?.Value?.[0]).sort()).toEqual(
      before,
    );
    expect(await sidecarPaths()).toHaveLength(3);
  });

  it('clears what a broken transfer left, and lists no file it cannot read', async () => {
    const file = makeDicomFile();
    await sandbox.stow([file.bytes]);
    const [sidecar] = await sidecarPaths();
    await writeFile(sidecar!.replace(/.{8}\.json$/, '00000000.json'), '{}');
    await writeFile(sidecar!.replace(/.{8}\.json$/, '11111111.dcm'), 'garbage');
    await writeFile(join(sandbox.dir, 'incoming', 'half'), 'half a file');
    await appendFile(join(sandbox.dir, 'instances', 'notes.txt'), 'not ours');
    await sandbox.restart();
    expect(await sandbox.files('incoming')).toEqual([]);
    expect(await sandbox.json('/instances')).toHaveLength(1);
    expect(await sidecarPaths()).toEqual([sidecar]);
  });

  async function sidecarPaths(): Promise<string[]> {
    const entries = await readdir(join(sandbox.dir, 'instances'), { recursive: true });
    return entries
      .filter((entry) => entry.endsWith('.json'))
      .map((entry) => join(sandbox.dir, 'instances', entry));
  }
});

describe('createSandbox', () => {
  it('rejects with EADDRINUSE when the port is taken', async () => {
    await expect(createSandbox({ dir: sandbox.dir, port: sandbox.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  it('rejects when the folder cannot be used', async () => {
    const path = join(sandbox.dir, 'a-file');
    await writeFile(path, '');
    await expect(createSandbox({ dir: path })).rejects.toThrow();
  });
});
