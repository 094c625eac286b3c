import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDicomFile, newUid, type TestFile } from '../testing/dicom-file.js';
import { lostWith, partsOf, TestSandbox } from '../testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

const [studyUid, seriesUid] = [newUid(), newUid()];
const someFiles = (count: number) =>
  Array.from({ length: count }, () => makeDicomFile({ studyUid, seriesUid }));
const uidsOf = (files: { sopUid: string }[]) => files.map(({ sopUid }) => sopUid);
const stow = (files: { bytes: Buffer }[]) => sandbox.stow(files.map(({ bytes }) => bytes));

describe('partialFailure', () => {
  it('fails the instances it names, with the reason, and stores the others', async () => {
    const files = someFiles(3);
    const [first, second, third] = uidsOf(files) as [string, string, string];
    await sandbox.putFaults({
      kind: 'partialFailure',
      on: 'stow',
      sopInstanceUids: [second],
      reason: 0xa900,
      times: 1,
    });
    const answer = await stow(files);
    expect(answer).toMatchObject({ status: 202, stored: [first, third], failed: { [second]: 0xa900 } });
    expect(await sandbox.found()).toEqual([first, third]);
    expect(await stow(files)).toMatchObject({ status: 200, failed: {} });
  });

  it('fails every nth over all requests, for want of resources where no reason is given', async () => {
    const files = someFiles(4);
    await sandbox.putFaults({ kind: 'partialFailure', on: 'stow', every: 3 });
    expect((await stow(files.slice(0, 2))).failed).toEqual({});
    expect((await stow(files.slice(2))).failed).toEqual({ [String(files[2]?.sopUid)]: 42752 });
    expect(await sandbox.fired()).toEqual([1]);
  });

  it('fails all of a request where neither is given, and counts it once', async () => {
    await sandbox.putFaults({ kind: 'partialFailure', on: 'stow', times: 1 });
    expect(await stow(someFiles(3))).toMatchObject({ status: 409, stored: [] });
    expect(await sandbox.fired()).toEqual([1]);
    expect(await stow(someFiles(3))).toMatchObject({ status: 200, failed: {} });
  });

  it('does not count where none of its instances comes', async () => {
    await sandbox.putFaults({ kind: 'partialFailure', on: 'stow', sopInstanceUids: ['1.2.3'], times: 1 });
    expect((await stow(someFiles(2))).status).toBe(200);
    expect(await sandbox.fired()).toEqual([0]);
  });
});

describe('inventedUids', () => {
  it('fails instances under UIDs nobody sent', async () => {
    const files = someFiles(3);
    const [first, second, third] = uidsOf(files) as [string, string, string];
    await sandbox.putFaults({ kind: 'inventedUids', on: 'stow', sopInstanceUids: [second] });
    const answer = await stow(files);
    expect(answer.stored).toEqual([first, third]);
    const [invented, ...others] = Object.keys(answer.failed);
    expect(invented).toMatch(/^2\.25\./);
    expect([others, uidsOf(files).includes(String(invented))]).toEqual([[], false]);
    expect(await sandbox.found()).toEqual([first, third]);
  });
});

describe('storedButAnswerLost', () => {
  it.each([
    ['before the answer', 0],
    ['within it', 20],
    ['within it, however long it is to be', 1_000_000],
  ])('stores everything and resets %s', async (_, afterBytes) => {
    const files = someFiles(2);
    await sandbox.putFaults({ kind: 'storedButAnswerLost', on: 'stow', times: 1, afterBytes });
    expect(await lostWith(sandbox.post(files.map(({ bytes }) => bytes)).then((each) => each.text()))).toMatch(
      /ECONNRESET|UND_ERR_SOCKET/,
    );
    expect(await sandbox.found()).toEqual(uidsOf(files));
    expect((await stow(files)).stored).toEqual(uidsOf(files));
    expect((await sandbox.statistics()).instances).toMatchObject({ received: 4, stored: 2, repeated: 2 });
  });
});

describe('storesButHides', () => {
  it('shows an instance to searches only later, and gives it out at once', async () => {
    const [shown, hidden] = someFiles(2) as [
      ReturnType<typeof makeDicomFile>,
      ReturnType<typeof makeDicomFile>,
    ];
    await sandbox.putFaults({
      kind: 'storesButHides',
      on: 'stow',
      seconds: 1,
      sopInstanceUids: [hidden.sopUid],
    });
    expect((await stow([shown, hidden])).stored).toEqual([shown.sopUid, hidden.sopUid]);
    expect(await sandbox.found()).toEqual([shown.sopUid]);
    expect((await sandbox.json('/studies'))[0]?.['00201208']?.Value).toEqual([1]);
    const path = `/studies/${studyUid}/series/${seriesUid}/instances/${hidden.sopUid}`;
    expect(await partsOf(await sandbox.get(path))).toEqual([hidden.bytes]);
    await expect.poll(() => sandbox.found(), { timeout: 5000 }).toEqual([shown.sopUid, hidden.sopUid]);
  });

  it('shows no study of which everything is hidden, until the faults are deleted', async () => {
    await sandbox.putFaults({ kind: 'storesButHides', on: 'stow', seconds: 3600 });
    const files = someFiles(2);
    await stow(files);
    expect([await sandbox.json('/studies'), await sandbox.json('/series')]).toEqual([[], []]);
    await sandbox.deleteFaults();
    expect(await sandbox.found()).toEqual(uidsOf(files));
  });
});

describe('forgets', () => {
  it('says stored and has nothing', async () => {
    const files = someFiles(2);
    await sandbox.putFaults({ kind: 'forgets', on: 'stow', every: 2 });
    expect(await stow(files)).toMatchObject({ status: 200, stored: uidsOf(files) });
    expect(await sandbox.found()).toEqual([files[0]?.sopUid]);
    expect((await sandbox.statistics()).instances).toMatchObject({ received: 2, stored: 1 });
    const path = `/studies/${studyUid}/series/${seriesUid}/instances/${files[1]?.sopUid}`;
    expect((await sandbox.get(path)).status).toBe(404);
  });
});

it.each(['dcm4chee', 'azure'] as const)('faults befall %s as well', async (personality) => {
  await sandbox.stop();
  sandbox = await TestSandbox.start({ personality });
  const files = someFiles(2);
  await sandbox.putFaults({ kind: 'partialFailure', on: 'stow', every: 2 });
  const failed = { [String(files[1]?.sopUid)]: 42752 };
  expect(await stow(files)).toMatchObject({ status: 202, stored: [files[0]?.sopUid], failed });
});

describe('losesDuplicates', () => {
  it('takes away the bytes of what comes although it is held, lists it, and says success', async () => {
    const files = someFiles(3);
    const [first, second, third] = files as [TestFile, TestFile, TestFile];
    await stow([first, second]);
    await sandbox.putFaults({ kind: 'losesDuplicates', on: 'stow', every: 2, times: 1 });
    expect(await stow(files)).toMatchObject({ status: 200, stored: uidsOf(files) });
    expect(await sandbox.found()).toEqual(uidsOf(files));
    const retrieved = await partsOf(await sandbox.get(`/studies/${studyUid}`));
    expect(retrieved).toEqual([first.bytes, third.bytes]);
    const lost = `/studies/${studyUid}/series/${seriesUid}/instances/${second.sopUid}`;
    expect((await sandbox.get(lost)).status).toBe(404);
    expect(await sandbox.json(`/studies/${studyUid}/instances?includefield=all`)).toHaveLength(3);
  });

  it('has nothing to do with what comes for the first time', async () => {
    await sandbox.putFaults({ kind: 'losesDuplicates', on: 'stow' });
    await stow(someFiles(2));
    expect(await sandbox.fired()).toEqual([0]);
  });
});
