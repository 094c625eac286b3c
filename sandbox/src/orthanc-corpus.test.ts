import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { partsOf, TestSandbox } from './testing/sandbox-client.js';

/** A folder with `files/` and a `manifest.tsv` that says, among others, what Orthanc 1.10.1 answered to each file. */
const corpus = process.env.RELAYPACS_DICOM_CORPUS;

describe.skipIf(!corpus)('real and damaged files', () => {
  it('are stored or refused as Orthanc does, and come back byte for byte', async () => {
    const folder = corpus ?? '';
    const [head, ...rows] = (await readFile(join(folder, 'manifest.tsv'), 'utf8')).trim().split('\n');
    const column = head?.split('\t').findIndex((name) => name.startsWith('orthanc')) ?? -1;
    const sandbox = await TestSandbox.start();
    try {
      const different: string[] = [];
      for (const row of rows.map((line) => line.split('\t'))) {
        const [name = ''] = row;
        const bytes = await readFile(join(folder, 'files', name));
        const { status, stored, body } = await sandbox.stow([bytes]);
        const outcome = `${status}/${stored.length}`;
        // The real one dies of the file nested 200 deep.
        const expected = row[column]?.startsWith('CRASH') ? '400/0' : row[column];
        if (outcome !== expected) different.push(`${name}: ${outcome} instead of ${expected}`);
        const item = body['00081199']?.Value?.[0] as typeof body | undefined;
        const url = item?.['00081190']?.Value?.[0];
        if (url === undefined) continue;
        const [returned] = await partsOf(await fetch(String(url)));
        // Several files of the corpus are of one instance, of which the first is kept.
        if (!returned?.equals(bytes)) continue;
        expect((await fetch(`${url}/metadata`)).status).toBe(200);
      }
      expect(different).toEqual([]);
      expect((await sandbox.json('/instances')).length).toBeGreaterThan(100);
    } finally {
      await sandbox.stop();
    }
  }, 120_000);
});
