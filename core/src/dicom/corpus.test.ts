import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatPersonName } from './person-name.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';

/**
 * Real and mutated files with a manifest of verdicts, kept outside of the project. Where the manifest and the rules
 * disagree the manifest wins, at three places, each with its reason beside the rule:
 * - 20_wrong_group_length is valid: see META_GROUP_LENGTH_WRONG in findings.ts;
 * - JLSL_RGB_ILV2, without any identifier, is repairable: see UIDS_ABSENT in identity-rules.ts;
 * - GH1146, whose pixel data is empty, is repairable: see isEmptyOnPurpose in pixel-rules.ts.
 */
const corpus = process.env.RELAYPACS_DICOM_CORPUS;

interface CorpusFile {
  file: string;
  transferSyntax: string;
  verdict: string;
  orthanc: string;
}

function readManifest(folder: string): CorpusFile[] {
  const [head = '', ...lines] = readFileSync(join(folder, 'manifest.tsv'), 'utf8').trim().split('\n');
  const names = head.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    const cell = (name: string) => cells[names.indexOf(name)] ?? '';
    return {
      file: cell('file'),
      transferSyntax: cell('transfer_syntax'),
      verdict: cell('verdict'),
      orthanc: cell('orthanc1.10.1_stow(status/stored)'),
    };
  });
}

const scanFile = (file: string) =>
  scanDicom(bytesSource(new Uint8Array(readFileSync(join(corpus ?? '', 'files', file)))));

describe.skipIf(corpus === undefined)('the corpus', () => {
  const files = corpus === undefined ? [] : readManifest(corpus);

  it.each(files)('$file is $verdict', async ({ file, verdict, transferSyntax }) => {
    const result = await scanFile(file);
    expect({ verdict: result.verdict, findings: result.findings }).toMatchObject({ verdict });
    if (transferSyntax !== '') expect(result.meta?.transferSyntaxUid).toBe(transferSyntax);
  });

  it('holds no file that may be delivered unchanged and that Orthanc refuses without our warning', async () => {
    const surprises: string[] = [];
    for (const { file, orthanc } of files) {
      const { verdict, needsRewrite, findings } = await scanFile(file);
      const warned = findings.some(({ code }) => code === 'UID_VR_UNKNOWN');
      if (verdict !== 'invalid' && !needsRewrite && !warned && orthanc !== '200/1') surprises.push(file);
    }
    expect(surprises).toEqual([]);
  });

  it.each([
    ['chrGerm', 'Äneas, Rüdiger'],
    ['chrFren__', 'Buc, Jérôme'],
    ['chrX2', 'Wang, XiaoDong (王 小东)'],
    ['chrI2', 'Hong, Gildong (洪 吉洞)'],
    ['chrJapMulti', 'やまだ たろう'],
  ])('the name in %s is shown as %s', async (part, name) => {
    const file = files.find((candidate) => candidate.file.includes(part));
    expect(formatPersonName((await scanFile(file?.file ?? '')).attributes.patientName ?? '')).toBe(name);
  });
});
