import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDicomFile, newUid, type TestFileOptions } from './testing/dicom-file.js';
import { TestSandbox } from './testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

const page = (query = '') => fetch(`http://127.0.0.1:${sandbox.port}/${query}`);
const store = (...files: TestFileOptions[]) =>
  sandbox.stow(files.map((options) => makeDicomFile(options).bytes));
/** What a person sees of the page, one space between words. */
const visible = async () =>
  (await (await page()).text()).replace(/<style>.*<\/style>|<[^>]*>/gs, ' ').replace(/\s+/g, ' ');

describe('the page', () => {
  it('says what it is, that it is no place for real data, and that it is empty', async () => {
    const text = await visible();
    expect(text).toContain('No place for real patients’ data.');
    expect(text).toContain('No studies yet.');
    expect(text).toContain(sandbox.url);
  });

  it('says what it plays, whom it lets in, and which faults are switched on', async () => {
    expect(await visible()).toContain('behaves as orthanc does. Credentials: none');
    expect(await visible()).not.toContain('Faults');
    await sandbox.putFaults(
      { kind: 'status', on: 'stow', status: 503, times: 2 },
      { kind: 'partialFailure', on: 'stow', sopInstanceUids: ['<script>'] },
      { kind: 'status', on: 'qido', status: 500, times: 1 },
    );
    await sandbox.get('/studies');
    const text = await visible();
    expect(text).toContain('Faults switched on status on stow, status 503, times 2 so far 0');
    expect(text).not.toContain('status 500');
    expect(await (await page()).text()).not.toContain('<script>');
  });

  it('lists studies with patient, date, modalities, description, counts and size, newest first', async () => {
    const studyUid = newUid();
    await store({ elements: { '00100010': ['PN', 'Older^One'] } });
    const elements = {
      '00080005': ['CS', 'ISO_IR 192'],
      '00081030': ['LO', 'Chest'],
      '00100010': ['PN', '=山田^太郎^^Dr'],
      '7FE00010': ['OW', Buffer.alloc(1_500_000)],
    } satisfies TestFileOptions['elements'];
    await store({ studyUid, elements }, { studyUid, elements: { ...elements, '00080060': ['CS', 'SR'] } });
    const text = await visible();
    expect(text).toContain('2 studies');
    expect(text).toMatch(/山田, 太郎 Dr P1 2024-01-31 CT, SR Chest 2\.25\.\d+ 2 2 3\.0 MB Older, One/);
  });

  it('has no scripts, and a policy that allows none and nothing from elsewhere', async () => {
    await store({});
    const response = await page();
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'/,
    );
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).not.toMatch(/<script|<link|<img|\son\w+=|style=/i);
  });

  it('escapes whatever stands in the files', async () => {
    const evil = `"><script>alert('1')</script>&`;
    await store({
      studyUid: evil,
      elements: {
        '00100010': ['PN', evil],
        '00100020': ['LO', evil],
        '00081030': ['LO', evil],
        '00080060': ['CS', evil],
        '00080020': ['DA', evil],
      },
    });
    const text = await (await page()).text();
    expect(text).not.toContain('<script');
    expect(text.match(/&#60;script&#62;alert\(&#39;1&#39;\)/g)).toHaveLength(6);
  });

  it('escapes the host it is addressed by', async () => {
    const { request } = await import('node:http');
    const text = await new Promise<string>((resolve) => {
      const headers = { Host: '<script>' };
      request({ port: sandbox.port, host: '127.0.0.1', headers }, (response) => {
        let body = '';
        response.on('data', (data) => {
          body += data;
        });
        response.on('end', () => resolve(body));
      }).end();
    });
    expect(text).not.toContain('<script>');
  });

  it('shows fifty studies at a time, with ways to the others', async () => {
    await store(
      ...Array.from({ length: 51 }, (_, at) => ({
        elements: { '00100010': ['PN', `Number^${at}`] as [string, string] },
      })),
    );
    const first = await (await page()).text();
    expect(first).toContain('51 studies, 1 to 50 shown');
    expect(first).toContain('<a href="/?page=2">Older</a>');
    const second = await (await page('?page=2')).text();
    expect(second).toContain('Number, 0<');
    expect(second).not.toContain('Number, 1<');
    for (const odd of ['?page=0', '?page=99999', '?page=x', '?page=-1'])
      expect((await page(odd)).status).toBe(200);
  });

  it('answers HEAD without a body and nothing but GET', async () => {
    const head = await fetch(`http://127.0.0.1:${sandbox.port}/`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await fetch(`http://127.0.0.1:${sandbox.port}/`, { method: 'POST' })).status).toBe(405);
  });
});
