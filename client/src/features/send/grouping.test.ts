import { buildZip, type ZipFile } from '@relaypacs/core/archive/testing/build-zip.js';
import { buildDicom, type DicomOptions, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { inspectFile } from '../../workers/inspect-file.js';
import { jpegPhoto, pngPhoto } from '../../workers/testing/photos.js';
import { announcementOf, type StudyDetails } from './announcement.js';
import { groupStudies, type InspectedFile } from './grouping.js';

async function inspected(path: string, bytes: Uint8Array, lastModified = 0): Promise<InspectedFile> {
  const file = new File([bytes.slice()], path.slice(path.lastIndexOf('/') + 1), { lastModified });
  return { file, path, inspection: await inspectFile(file) };
}

const slice = (path: string, options: DicomOptions = {}) => inspected(path, buildDicom(options));

it('sorts files into studies and counts their series', async () => {
  const ct = { studyInstanceUid: newUid(), patientName: 'Roe^Richard', modality: 'CT' };
  const mr = { studyInstanceUid: newUid(), patientName: 'Doe^Jane', modality: 'MR', studyDate: '20260114' };
  const series = newUid();
  const { studies } = groupStudies([
    await slice('a/1', { ...ct, seriesInstanceUid: series }),
    await slice('b/1', mr),
    await slice('a/2', { ...ct, seriesInstanceUid: series }),
    await slice('a/3', ct),
  ]);
  expect(studies.map((study) => [study.patientName, study.files.length, study.seriesCount])).toEqual([
    ['Doe, Jane', 1, 1],
    ['Roe, Richard', 3, 2],
  ]);
  expect(studies[0]).toMatchObject({
    key: mr.studyInstanceUid,
    modalities: ['MR'],
    header: { studyDate: '2026-01-14' },
  });
  expect(studies[1]?.totalBytes).toBe(studies[1]?.files.reduce((sum, { file }) => sum + file.size, 0));
});

it('takes a file once however often it was picked, and two slices of one name twice', async () => {
  const study = { studyInstanceUid: newUid() };
  const once = makeSlice(study);
  const { studies, others } = groupStudies([
    await inspected('CD/IM1', once),
    await inspected('copy of CD/IM1', once),
    await slice('S1/IM1', study),
    await slice('S2/IM1', study),
    await inspected('notes.txt', Buffer.from('hello')),
    await inspected('notes.txt', Buffer.from('hello')),
  ]);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['CD/IM1', 'S1/IM1', 'S2/IM1']);
  expect(others).toHaveLength(1);
});

it('keeps damaged images out of what is sent and says in which study and why', async () => {
  const study = { studyInstanceUid: newUid() };
  const { studies, damaged } = groupStudies([
    await slice('1', study),
    await slice('2', { ...study, truncateTo: 1500 }),
    await slice('3', { studyInstanceUid: newUid(), truncateTo: 1500 }),
  ]);
  expect(studies).toHaveLength(1);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['1']);
  expect(studies[0]?.damaged).toEqual([{ path: '2', reason: expect.stringMatching(/ends too early/) }]);
  expect(damaged.map(({ path }) => path)).toEqual(['3']);
});

it('sends what the server can mend, and says what that is', async () => {
  const preamble = new Uint8Array(128);
  preamble.set([0x4d, 0x5a]);
  const { studies, damaged } = groupStudies([await slice('1', { preamble })]);
  expect(damaged).toEqual([]);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['1']);
  expect(studies[0]?.repaired).toEqual([{ path: '1', reason: expect.stringMatching(/program/) }]);
});

it('says of everything else why it is left out, and whether it was meant to be sent', async () => {
  const { studies, others } = groupStudies([
    await inspected('report.pdf', Buffer.from('%PDF-1.4')),
    await inspected('empty.dcm', new Uint8Array(0)),
    await inspected('notes.jpg', Buffer.from('hello')),
    await inspected('study.dcm', Buffer.from('Rar!\x1a\x07\x01\x00')),
    await inspected('scan', Buffer.from('GIF89a')),
    await inspected('cut.zip', Buffer.from('PK\x03\x04')),
  ]);
  expect(studies).toEqual([]);
  expect(others.map(({ reason, wanted }) => [reason, wanted])).toEqual([
    [expect.stringMatching(/PDF/), false],
    ['The file is empty.', false],
    ['This is not a DICOM file.', false],
    [expect.stringMatching(/Unpack it/), true],
    [expect.stringMatching(/JPEG or PNG/), true],
    [expect.stringMatching(/cut off/), true],
  ]);
  expect(others.map(({ empty }) => empty)).toEqual([false, true, false, false, false, false]);
});

it('names the modality of the images, not that of a report beside them', async () => {
  const study = { studyInstanceUid: newUid() };
  const { studies } = groupStudies([
    await slice('1', { ...study, modality: 'SR' }),
    await slice('2', { ...study, modality: 'SR' }),
    await slice('3', { ...study, modality: 'PT' }),
    await slice('4', { ...study, modality: 'CT' }),
    await slice('5', { ...study, modality: 'CT' }),
  ]);
  expect(studies[0]?.modalities).toEqual(['CT', 'PT', 'SR']);
  expect(studies[0]?.header.modality).toBe('CT');
});

it('refuses a study whose images are certainly of different patients, and names them', async () => {
  const study = { studyInstanceUid: newUid() };
  const same = groupStudies([
    await slice('1', { ...study, patientId: 'A', patientName: 'Doe^Jane' }),
    await slice('2', { ...study, patientId: 'A', patientName: 'DOE^JANE' }),
  ]);
  expect(same.studies[0]).toMatchObject({ refused: false, studies: [{ mixed: [] }] });
  const mixed = groupStudies([
    await slice('1', { ...study, patientId: 'A', patientName: 'Doe^Jane' }),
    await slice('2', { ...study, patientId: 'B', patientName: 'Roe^Richard' }),
    await inspected('photo.jpg', jpegPhoto()),
  ]);
  expect(mixed.studies[0]).toMatchObject({
    refused: true,
    studies: [{ mixed: ['Doe, Jane (ID A)', 'Roe, Richard (ID B)'] }],
    photos: [],
  });
  expect(mixed.studies[1]?.kind).toBe('photos');
});

it('says which images of a study seem to be missing', async () => {
  const series = { studyInstanceUid: newUid(), seriesInstanceUid: newUid(), modality: 'CT' };
  const numbers = [1, 2, 3, 5, 6];
  const files = await Promise.all(
    numbers.map((instanceNumber) => slice(`${instanceNumber}`, { ...series, instanceNumber })),
  );
  const { studies } = groupStudies(files);
  expect(studies[0]?.studies[0]?.gaps).toEqual([expect.stringMatching(/image 4 seems to be missing/)]);
  const whole = groupStudies([...files, await slice('4', { ...series, instanceNumber: 4 })]);
  expect(whole.studies[0]?.studies[0]?.gaps).toEqual([]);
});

const zip = (path: string, files: ZipFile[]) => inspected(path, buildZip(files));
const entry = (path: string, content: Uint8Array): ZipFile => ({ path, content, deflate: true });

it('sends an archive as one file, with what was found in it', async () => {
  const ct = { studyInstanceUid: newUid(), patientName: 'Roe^Richard', modality: 'CT' };
  const archive = await zip('disc.zip', [
    entry('A/IM1', makeSlice(ct)),
    entry('A/IM2', makeSlice(ct)),
    entry('A/IM3', buildDicom({ ...ct, truncateTo: 1500 })),
    entry('photo.png', pngPhoto(40, 30)),
    entry('README.TXT', Buffer.from('How to use the viewer')),
    entry('__MACOSX/A/._IM1', Buffer.from('junk')),
    { ...entry('secret', makeSlice(ct)), encrypted: true },
  ]);
  const { studies, others } = groupStudies([archive]);
  expect(others).toEqual([]);
  expect(studies).toMatchObject([
    {
      key: ct.studyInstanceUid,
      patientName: 'Roe, Richard',
      imageCount: 2,
      photosWithin: 0,
      archives: ['disc.zip'],
      totalBytes: archive.file.size,
      damaged: [{ path: 'disc.zip/A/IM3' }],
      unopened: [{ path: 'disc.zip/secret', reason: expect.stringMatching(/password/) }],
      notTaken: [
        { path: 'disc.zip/README.TXT' },
        { path: 'disc.zip/photo.png', reason: expect.stringMatching(/viewer/) },
      ],
    },
  ]);
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['disc.zip']);
});

it('sends all studies of an archive together, and with them what else was picked of those', async () => {
  const [a, b, c] = [newUid(), newUid(), newUid()];
  const inBoth = makeSlice({ studyInstanceUid: a });
  const { studies } = groupStudies([
    await slice('more/b2', { studyInstanceUid: b, patientName: 'Doe^Jane' }),
    await inspected('again/a1', inBoth),
    await slice('c1', { studyInstanceUid: c }),
    await zip('two.zip', [
      entry('a1', inBoth),
      entry('a2', makeSlice({ studyInstanceUid: a, patientName: 'Roe^Richard', patientId: '2' })),
      entry('b1', makeSlice({ studyInstanceUid: b, patientName: 'Doe^Jane', patientId: '1' })),
    ]),
  ]);
  expect(studies).toHaveLength(2);
  const together = studies.find(({ archives }) => archives.length > 0);
  expect(together?.studies.map(({ imageCount }) => imageCount)).toEqual([2, 2]);
  expect(together?.files.map(({ path }) => path)).toEqual(['two.zip', 'more/b2']);
  expect(together?.patients).toHaveLength(2);
  expect(announcementOf(together!, DETAILS).request).not.toHaveProperty('studyInstanceUid');
});

it('says of an archive in which nothing can be sent what is the matter', async () => {
  const secret = { ...entry('IM1', makeSlice()), encrypted: true };
  const { others } = groupStudies([
    await zip('secret.zip', [secret, { ...secret, path: 'IM2' }]),
    await zip('texts.zip', [entry('a.txt', Buffer.from('a')), entry('b.txt', new Uint8Array(0))]),
  ]);
  expect(others).toMatchObject([
    { path: 'secret.zip', reason: expect.stringMatching(/password/), wanted: true },
    { path: 'texts.zip', reason: 'There is no image in it that can be sent.', wanted: true },
  ]);
});

it('makes one study of several photos, each with a path of its own', async () => {
  const photos = [await inspected('image.jpg', jpegPhoto()), await inspected('image.jpg', jpegPhoto(50), 1)];
  const { studies } = groupStudies([...photos, await inspected('shot.png', pngPhoto(40, 30))]);
  expect(studies).toHaveLength(1);
  expect(studies[0]).toMatchObject({ kind: 'photos', key: 'photos', studies: [] });
  expect(studies[0]?.files.map(({ path }) => path)).toEqual(['image.jpg', 'image (2).jpg', 'shot.png']);
});

it('lets photos go with the only study there is, unless the person says otherwise', async () => {
  const picked = [await slice('1'), await inspected('a.jpg', jpegPhoto())];
  const together = groupStudies(picked).studies;
  expect(together.map(({ kind, photosBeside, photos }) => [kind, photosBeside, photos.length])).toEqual([
    ['images', 1, 1],
  ]);
  expect(together[0]?.files.map(({ path }) => path)).toEqual(['1', 'a.jpg']);
  const apart = groupStudies(picked, { photosApart: true }).studies;
  expect(apart.map(({ kind, photosBeside, photos }) => [kind, photosBeside, photos.length])).toEqual([
    ['images', 1, 0],
    ['photos', 0, 1],
  ]);
  const two = groupStudies([...picked, await slice('2')]).studies;
  expect(two.map(({ kind, photosBeside }) => [kind, photosBeside])).toEqual([
    ['images', 0],
    ['images', 0],
    ['photos', 0],
  ]);
});

const DETAILS: StudyDetails = {
  patientName: 'Doe, Jane',
  studyDate: '2026-01-14',
  modality: 'CT',
  serviceLevel: 'stat',
  target: '',
  clinicalHistory: '  Fall from a ladder.\nHeadache.  ',
  patientId: '',
  patientBirthDate: '',
  patientSex: '',
  studyDescription: '',
};

it('announces a study with what its headers say', async () => {
  const uid = newUid();
  const { studies } = groupStudies([
    await slice('1', {
      studyInstanceUid: uid,
      patientId: 'P-7',
      patientBirthDate: '19700301',
      patientSex: 'F',
    }),
  ]);
  expect(announcementOf(studies[0]!, DETAILS).request).toEqual({
    patientName: 'Doe, Jane',
    studyDate: '2026-01-14',
    modality: 'CT',
    serviceLevel: 'stat',
    fileCount: 1,
    totalBytes: studies[0]!.totalBytes,
    patientId: 'P-7',
    patientBirthDate: '1970-03-01',
    patientSex: 'F',
    studyDescription: 'Test study',
    clinicalHistory: 'Fall from a ladder.\nHeadache.',
    studyInstanceUid: uid,
  });
});

it('announces the PACS that was chosen, and none where the rules decide', async () => {
  const { studies } = groupStudies([await slice('1')]);
  expect(announcementOf(studies[0]!, DETAILS).request).not.toHaveProperty('target');
  expect(announcementOf(studies[0]!, { ...DETAILS, target: 'archive' }).request?.target).toBe('archive');
});

it('leaves out optional header values the contract does not take instead of blocking the study', async () => {
  const { studies } = groupStudies([
    await slice('1', { patientId: 'x'.repeat(80), patientSex: 'N', studyDescription: '' }),
  ]);
  const { request } = announcementOf(studies[0]!, DETAILS);
  expect(request).toBeDefined();
  for (const field of ['patientId', 'patientSex', 'studyDescription'])
    expect(request).not.toHaveProperty(field);
});

it('asks for what is required and missing, field by field', async () => {
  const { studies } = groupStudies([await slice('1')]);
  const { errors } = announcementOf(studies[0]!, {
    ...DETAILS,
    patientName: ' ',
    studyDate: '2026-02-30',
    modality: 'c t',
  });
  expect(errors).toEqual({
    patientName: 'Enter the name of the patient.',
    studyDate: expect.stringMatching(/YYYY-MM-DD/),
    modality: expect.stringMatching(/CT, MR/),
  });
});

it('takes pictures in folders of images for those of a viewer, but a folder of photos for photos', async () => {
  const logo = await inspected('CD/HELP/logo.png', pngPhoto(40, 30));
  const disc = groupStudies([await slice('CD/IM1'), logo]);
  expect(disc.studies.map(({ kind, photosBeside }) => [kind, photosBeside])).toEqual([['images', 0]]);
  expect(disc.others).toMatchObject([{ path: 'CD/HELP/logo.png', wanted: false }]);
  expect(groupStudies([logo]).studies.map(({ kind }) => kind)).toEqual(['photos']);
});

it('sends an archive of photos by itself: beside images the server would take them for those of a viewer', async () => {
  const photos = await zip('photos.zip', [entry('a.jpg', jpegPhoto()), entry('b.jpg', jpegPhoto())]);
  const { studies } = groupStudies([await slice('1'), await inspected('c.jpg', jpegPhoto()), photos]);
  expect(studies.map(({ kind, files }) => [kind, files.map(({ path }) => path)])).toEqual([
    ['images', ['1', 'c.jpg']],
    ['photos', ['photos.zip']],
  ]);
  expect(studies[1]?.photosWithin).toBe(2);
});

it('tells the server not to ask again about images that were shown to be missing', async () => {
  const series = { studyInstanceUid: newUid(), seriesInstanceUid: newUid(), modality: 'CT' };
  const { studies } = groupStudies([
    await slice('1', { ...series, instanceNumber: 1 }),
    await slice('2', { ...series, instanceNumber: 2 }),
    await slice('4', { ...series, instanceNumber: 4 }),
  ]);
  expect(announcementOf(studies[0]!, DETAILS).request?.onDoubt).toBe('send');
});

it('announces photos with what the person has said of them', async () => {
  const { studies } = groupStudies([await inspected('a.jpg', jpegPhoto())]);
  const details = {
    ...DETAILS,
    modality: 'XC',
    patientId: ' 7 ',
    patientSex: 'F',
    studyDescription: 'Wound',
  };
  expect(announcementOf(studies[0]!, details).request).toMatchObject({
    patientName: 'Doe, Jane',
    patientId: '7',
    patientSex: 'F',
    studyDescription: 'Wound',
    modality: 'XC',
    fileCount: 1,
  });
  const wrong = { ...details, patientBirthDate: '0001-01-01', patientName: '' };
  expect(Object.keys(announcementOf(studies[0]!, wrong).errors ?? {}).sort()).toEqual([
    'patientBirthDate',
    'patientName',
  ]);
});

it('announces photos for a study sent before as that study says', async () => {
  const { studies } = groupStudies([await inspected('a.jpg', jpegPhoto())]);
  const earlier = {
    uploadId: 'u1',
    studyInstanceUid: '1.2.3',
    patientName: 'Roe^Richard',
    studyDate: '2026-01-02',
    modalities: 'CT',
    patientId: '42',
  };
  const details = { ...DETAILS, modality: 'XC', patientName: '', studyDescription: 'of no account' };
  const { request } = announcementOf(studies[0]!, details, earlier);
  expect(request).toMatchObject({
    patientName: 'Roe^Richard',
    studyDate: '2026-01-02',
    patientId: '42',
    studyInstanceUid: '1.2.3',
    modality: 'XC',
  });
  for (const field of ['uploadId', 'modalities', 'studyDescription'])
    expect(request).not.toHaveProperty(field);
});
