import { describe, expect, it } from 'vitest';
import { fewerFilesThanAnnounced, findGaps } from './completeness.js';
import type { InstanceFacts } from './instance-facts.js';
import { instanceFacts } from './instance-facts.js';

const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

let made = 0;

function instance(facts: Partial<InstanceFacts> = {}): InstanceFacts {
  made += 1;
  return {
    studyInstanceUid: '1.2.1',
    seriesInstanceUid: '1.2.1.3',
    sopInstanceUid: `1.2.1.3.${made}`,
    modality: 'CT',
    seriesNumber: 3,
    seriesDescription: 'AX T2',
    ...facts,
  };
}

/** One instance for each number. */
const numbered = (numbers: readonly number[], facts: Partial<InstanceFacts> = {}) =>
  numbers.map((instanceNumber) => instance({ instanceNumber, ...facts }));

/** One axial slice for each position in mm; no instance numbers, unless they are given. */
const slices = (positions: readonly number[], facts: Partial<InstanceFacts> = {}) =>
  positions.map((z) =>
    instance({ imagePositionPatient: [-120, -120, z], imageOrientationPatient: AXIAL, ...facts }),
  );

const range = (first: number, last: number, step = 1) =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);

const without = <T>(values: readonly T[], ...left: T[]) => values.filter((value) => !left.includes(value));

const codes = (instances: readonly InstanceFacts[]) => findGaps(instances).map(({ code }) => code);

describe('instance numbers', () => {
  it('with a hole are reported with the series, the numbers and how many they are', () => {
    expect(findGaps(numbered(without(range(1, 60), 12, 13, 14, 15)))).toEqual([
      {
        code: 'INSTANCE_NUMBER_GAP',
        message: 'Series 3 (AX T2): images 12 to 15 seem to be missing (4 of 60).',
        seriesInstanceUid: '1.2.1.3',
      },
    ]);
  });

  it.each([
    [[12], 'image 12 seems to be missing (1 of 60)'],
    [[12, 20], 'images 12 and 20 seem to be missing (2 of 60)'],
    [[12, 13, 20, 31], 'images 12 to 13, 20 and 31 seem to be missing (4 of 60)'],
    [[2, 4, 6, 8, 10, 12, 14], 'images 2, 4, 6, 8, 10 and others seem to be missing (7 of 60)'],
  ])('without %j are listed so that people can read it', (missing, words) => {
    const [warning] = findGaps(numbered(without(range(1, 60), ...missing)));
    expect(warning?.message).toBe(`Series 3 (AX T2): ${words}.`);
  });

  it('are looked at series by series', () => {
    const whole = numbered(range(1, 10), { seriesInstanceUid: '1.2.1.4' });
    const holed = numbered(without(range(1, 10), 5));
    expect(findGaps([...whole, ...holed])).toMatchObject([{ seriesInstanceUid: '1.2.1.3' }]);
  });

  it.each([
    ['start at 0', range(0, 20)],
    ['start at 0 and leave out 1', [0, ...range(2, 20)]],
    ['start at 1001', range(1001, 1040)],
    ['go by twos', range(2, 40, 2)],
    ['go by tens and lack one', without(range(10, 200, 10), 50)],
    ['begin anew at 101', [...range(1, 20), ...range(101, 120)]],
    ['begin anew far away', [...range(1, 20), 9999]],
    ['are few', [1, 9]],
    ['are negative', range(-20, -1, 3)],
    ['all repeat', [...range(1, 10), ...range(1, 10), ...range(12, 15)]],
    ['are huge', [1, 2, 3, 2 ** 31 - 1]],
  ])('that %s are no reason for alarm', (_name, numbers) => {
    expect(codes(numbered(numbers))).toEqual([]);
  });

  it.each(['CR', 'DX', 'MG', 'US', 'XA', 'SR', 'RTPLAN'])(
    'of %s have holes as a matter of routine',
    (modality) => {
      expect(codes(numbered([1, 2, 5, 6], { modality }))).toEqual([]);
    },
  );

  it('of copies count once', () => {
    const series = numbered(range(1, 10));
    expect(codes([...series, ...series])).toEqual([]);
    const [first] = series;
    expect(codes([...series, ...Array(20).fill(first)])).toEqual([]);
  });

  it('may be taken by a scout, whose own number says nothing of where they end', () => {
    const scout = { imageType: ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] };
    const axial = numbered(without(range(1, 30), 1, 15));
    expect(codes([...numbered([1, 15, 90], scout), ...axial])).toEqual([]);
    expect(codes(numbered([1, 3, 4, 7], scout))).toEqual([]);
  });

  it('are named as well as the series allows', () => {
    const unnamed = numbered(without(range(1, 9), 5)).map(
      ({ seriesNumber: _number, seriesDescription: _description, ...facts }) => facts,
    );
    expect(findGaps(unnamed)[0]?.message).toMatch(/^A series: image 5 seems/);
    const described = unnamed.map((facts) => ({ ...facts, seriesDescription: 'Thorax' }));
    expect(findGaps(described)[0]?.message).toMatch(/^Series "Thorax": /);
  });
});

describe('slice positions', () => {
  it('with a hole are reported when the numbers do not say so', () => {
    expect(findGaps(slices(without(range(0, 100, 5), 50)))).toEqual([
      {
        code: 'SLICE_GAP',
        message:
          'Series 3 (AX T2): 1 slice seems to be missing, as there is a gap of 10 mm between slices that lie 5 mm apart.',
        seriesInstanceUid: '1.2.1.3',
      },
    ]);
    const message = findGaps(slices(without(range(0, 100, 5), 50, 55, 60)))[0]?.message;
    expect(message).toContain('about 3 slices seem to be missing, as there is a gap of 20 mm');
  });

  it('that lie oblique, rounded as devices round, are measured across the slice', () => {
    const tilted = without(range(0, 30), 11, 12).map((i) =>
      instance({
        imagePositionPatient: [-100, Number((-90 + i * 1.2).toFixed(2)), Number((i * 1.6).toFixed(2))],
        imageOrientationPatient: [1, 0, 0, 0, 0.8, -0.6],
      }),
    );
    expect(codes(tilted)).toEqual(['SLICE_GAP']);
  });

  it('are not reported once more for a series whose numbers have a hole', () => {
    const series = slices(without(range(0, 100, 5), 50)).map((slice) => ({
      ...slice,
      instanceNumber: (slice.imagePositionPatient?.[2] ?? 0) / 5 + 1,
    }));
    expect(codes(series)).toEqual(['INSTANCE_NUMBER_GAP']);
  });

  it.each([
    ['of a few slices', slices([0, 5, 10, 20])],
    ['without an even spacing', slices([0, 1, 5, 6, 10, 11, 15, 30])],
    ['that are repeated by a dynamic study', [1, 2, 3].flatMap(() => slices(range(0, 100, 5)))],
    [
      'of two b-values, one between the other',
      [...slices(range(0, 100, 5)), ...slices(range(1, 101, 5))].reverse(),
    ],
    [
      'of two echoes of different extent',
      [...slices(range(0, 50, 5), { echoNumbers: 1 }), ...slices(range(100, 150, 5), { echoNumbers: 2 })],
    ],
    [
      'of scouts beside axial slices',
      [
        ...slices([0, 300], { imageType: ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }),
        ...slices(range(50, 100, 5)),
        ...slices([0, 20, 40], { imageOrientationPatient: SAGITTAL }),
      ],
    ],
    ['of stacks on three discs', slices([...range(0, 16, 4), ...range(40, 56, 4), ...range(80, 96, 4)])],
    ['of a phase that covers less', slices([...range(0, 100, 5), ...range(20, 60, 5)])],
    ['that are all one', slices(range(1, 20).map(() => 7))],
  ])('%s are no reason for alarm', (_name, instances) => {
    expect(codes(instances)).toEqual([]);
  });

  it.each([
    ['nowhere', []],
    ['beyond all bounds', [0, 0, 1e300]],
    ['half', [0, 0]],
  ])('that lie %s are passed over', (_name, imagePositionPatient) => {
    const hostile = range(1, 20).map(() =>
      instance({ imagePositionPatient, imageOrientationPatient: AXIAL }),
    );
    expect(codes(hostile)).toEqual([]);
  });

  it('in no plane are passed over', () => {
    for (const imageOrientationPatient of [
      [],
      [0, 0, 0, 0, 0, 0],
      [1, 0, 0, 1, 0, 0],
      [1e9, 0, 0, 0, 1e9, 0],
    ]) {
      expect(codes(slices(without(range(0, 100, 5), 50), { imageOrientationPatient }))).toEqual([]);
    }
  });

  it('of thousands of orientations are judged soon', () => {
    const radial = range(1, 5_000).map((i) =>
      instance({
        imagePositionPatient: [0, 0, i],
        imageOrientationPatient: [Math.cos(i), Math.sin(i), 0, 0, 0, 1],
      }),
    );
    const startedAt = performance.now();
    expect(codes(radial)).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('are not needed: single X-rays, mammograms and cine loops pass', () => {
    const views = ['1', '2', '3', '4'].map((view) =>
      instance({ modality: 'MG', seriesInstanceUid: `1.2.1.${view}`, instanceNumber: 1 }),
    );
    expect(codes(views)).toEqual([]);
    expect(codes(numbered([1, 2, 3, 4], { modality: 'MG' }))).toEqual([]);
    expect(codes([instance({ modality: 'DX', instanceNumber: 7 })])).toEqual([]);
    expect(codes(numbered([1, 2, 5, 9, 14], { modality: 'US' }))).toEqual([]);
    expect(codes([])).toEqual([]);
  });
});

describe('numbers that the images state', () => {
  it('are held against what is there, series by series', () => {
    const series = numbered(range(1, 5), { numberOfSeriesRelatedInstances: 6 });
    expect(findGaps(series)).toEqual([
      {
        code: 'FEWER_THAN_STATED',
        message: 'Series 3 (AX T2): the images say that there are 6, but only 5 are here.',
        seriesInstanceUid: '1.2.1.3',
      },
    ]);
    expect(codes(numbered(range(1, 6), { numberOfSeriesRelatedInstances: 6 }))).toEqual([]);
    expect(codes(numbered(range(1, 7), { numberOfSeriesRelatedInstances: 6 }))).toEqual([]);
  });

  it('may count up from one image to the next', () => {
    const series = range(1, 5).map((n) => instance({ instanceNumber: n, numberOfSeriesRelatedInstances: n }));
    expect(codes(series)).toEqual([]);
  });

  it('of the study speak only of what no series accounts for', () => {
    const stated = { numberOfStudyRelatedInstances: 6 };
    expect(findGaps(numbered(range(1, 5), stated))).toEqual([
      {
        code: 'FEWER_THAN_STATED',
        message: 'The images say that there are 6 in the study, but only 5 are here.',
      },
    ]);
    expect(
      findGaps(numbered(range(1, 5), { ...stated, numberOfSeriesRelatedInstances: 6 })).map(
        ({ seriesInstanceUid }) => seriesInstanceUid,
      ),
    ).toEqual(['1.2.1.3']);
  });
});

describe('a DICOMDIR', () => {
  const series = numbered(range(1, 3));
  const entryOf = (path: string, sopInstanceUid: string, studyInstanceUid = '1.2.1') => ({
    path,
    sopInstanceUid,
    studyInstanceUid,
  });
  const present = series.map(({ sopInstanceUid }, i) => entryOf(`IM${i}`, sopInstanceUid));

  it('that lists what is not there is held against the study', () => {
    const dicomdir = [
      ...present,
      entryOf('DICOM/IM9', '9.9'),
      entryOf('OTHER', '8.8', '1.2.2'),
      { path: 'X' },
    ];
    expect(findGaps(series, { dicomdir })).toEqual([
      {
        code: 'DICOMDIR_LISTS_MORE',
        message: 'The table of contents of the disc (DICOMDIR) lists 1 more file of this study: DICOM/IM9.',
      },
    ]);
    expect(findGaps(series, { dicomdir: present })).toEqual([]);
  });

  it('that lists many is quoted in part', () => {
    const dicomdir = range(1, 500).map((n) => entryOf(`IM${n}`, `9.${n}`));
    expect(findGaps(series, { dicomdir })[0]?.message).toMatch(
      /lists 500 more files .*: IM1, IM2, IM3, …\.$/,
    );
  });
});

describe('the announced number of files', () => {
  it('is held against those that arrived', () => {
    const warning = {
      code: 'FEWER_FILES_THAN_ANNOUNCED',
      message: '117 files were announced, but 115 arrived.',
    };
    expect(fewerFilesThanAnnounced({ announcedFiles: 117, receivedFiles: 115 })).toEqual(warning);
    expect(findGaps([], { announcedFiles: 117, receivedFiles: 115 })).toEqual([warning]);
    expect(fewerFilesThanAnnounced({ announcedFiles: 117, receivedFiles: 117 })).toBeUndefined();
    expect(fewerFilesThanAnnounced({ receivedFiles: 115 })).toBeUndefined();
  });
});

describe('the facts of an instance', () => {
  it('are those that the rules need, and none without its three identifiers', () => {
    const uids = { studyInstanceUid: '1', seriesInstanceUid: '2', sopInstanceUid: '3' };
    expect(instanceFacts({ ...uids, instanceNumber: 4, manufacturer: 'ACME' })).toEqual({
      ...uids,
      instanceNumber: 4,
    });
    expect(instanceFacts({ studyInstanceUid: '1', seriesInstanceUid: '2' })).toBeUndefined();
  });
});
