import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { loadConfig } from '@relaypacs/core/config.js';
import type { TargetList, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { holdsClaim } from '@relaypacs/core/db/claims.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { insertResend, redirectStudy } from '@relaypacs/core/db/resends.js';
import { findStudy } from '@relaypacs/core/db/studies.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy as makeSlices } from './support/studies.js';

let orthanc: Orthanc;
let archive: TestSandbox;
let night: TestSandbox;
let stack: Stack;
let platform: Platform;
let admin: ApiClient;
let jane: ApiClient;

const RULES = [
  { serviceLevel: 'stat', target: 'night' },
  { modality: ['US', 'XA'], target: 'archive' },
  { facility: 'hill clinic', target: 'archive' },
];

beforeAll(async () => {
  [orthanc, archive, night] = await Promise.all([startOrthanc(), TestSandbox.start(), TestSandbox.start()]);
  const env = {
    ...pacsVariables(orthanc),
    PACS_NAME: 'Main PACS',
    PACS_TARGETS: 'archive, night',
    PACS_ARCHIVE_URL: archive.url,
    PACS_ARCHIVE_NAME: 'Archive',
    PACS_NIGHT_URL: night.url,
    PACS_RULES: JSON.stringify(RULES),
    PACS_CHOICES: 'default, archive',
  };
  stack = await startStack({ env });
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
  const config = loadConfig({
    DATABASE_URL: stack.databaseUrl,
    DATA_DIR: stack.dataDir,
    BYTES_GRACE_HOURS: '1',
  });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
afterEach(() => Promise.all([archive.deleteFaults(), night.deleteFaults()]));
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await Promise.all([orthanc?.dispose(), archive?.stop(), night?.stop()]);
});

/** A study about which the checks have nothing to say. */
const makeStudy = (slices: number, options: Parameters<typeof makeSlices>[1] = {}) =>
  makeSlices(slices, { studyDate: '20260102', ...options });
const US = { modality: 'US' };

const isDelivered = ({ status }: UploadDetail) => status === 'delivered';
const delivered = (id: string, client = jane) => client.waitFor(id, isDelivered);
const firstOf = ({ studies }: UploadDetail) => studies.filter(({ resendOf }) => resendOf === null);
const resendsOf = ({ studies }: UploadDetail) => studies.filter(({ resendOf }) => resendOf !== null);
const resend = (id: string, body: Record<string, string> = {}, client = admin) =>
  client.post(`/api/v1/uploads/${id}/resend`, body);
const resendEnded = (id: string, number = 1) =>
  jane.waitFor(id, (upload) => {
    const ended = resendsOf(upload).filter(({ status }) => status === 'delivered' || status === 'failed');
    return ended.length === number;
  });
/** What an upload says of itself apart from its history and what was sent again. */
const ownState = ({ studies, timeline, ...own }: UploadDetail) => ({
  ...own,
  first: firstOf({ studies } as UploadDetail),
});
const events = ({ timeline }: UploadDetail) =>
  timeline.map(({ event, targetName }) => (targetName ? `${event} ${targetName}` : event));
const inSandbox = async (sandbox: TestSandbox, { studyInstanceUid }: { studyInstanceUid: string }) =>
  ((await (await sandbox.get(`/studies/${studyInstanceUid}/instances`)).json()) as unknown[]).length;

async function sendDelivered(
  slices = 2,
): Promise<{ id: string; study: ReturnType<typeof makeStudy>; upload: UploadDetail }> {
  const study = makeStudy(slices);
  const id = await jane.send(study.files);
  return { id, study, upload: await delivered(id) };
}

async function removeFromOrthanc(studyInstanceUid: string): Promise<void> {
  const found = await orthanc.rest('/tools/lookup', { method: 'POST', body: studyInstanceUid });
  const [one] = (await found.json()) as Array<{ Path: string }>;
  await orthanc.rest(one!.Path, { method: 'DELETE' });
}

describe('a study', () => {
  it('goes where the first rule that fits says: by service level, modality, the facility of its sender, or none', async () => {
    const hill = await ApiClient.signUp(stack.baseUrl, 'Radiographer', 'Hill Clinic');
    const [stat, ultrasound, fromHill, other] = [makeStudy(1), makeStudy(1, US), makeStudy(1), makeStudy(1)];
    const targetOf = async (client: ApiClient, files: Uint8Array[], given = {}) =>
      firstOf(await delivered(await client.send(files, given), client))[0]?.target;
    expect(
      await Promise.all([
        targetOf(jane, stat.files, { serviceLevel: 'stat' }),
        targetOf(jane, ultrasound.files),
        targetOf(hill, fromHill.files),
        targetOf(jane, other.files),
      ]),
    ).toEqual(['night', 'archive', 'archive', 'default']);
    const all = [stat, ultrasound, fromHill, other];
    expect(await Promise.all(all.map((study) => inSandbox(night, study)))).toEqual([1, 0, 0, 0]);
    expect(await Promise.all(all.map((study) => inSandbox(archive, study)))).toEqual([0, 1, 1, 0]);
    expect(await orthancDigests(orthanc, other.studyInstanceUid)).toEqual(other.digests);
    expect((await orthancDigests(orthanc, stat.studyInstanceUid)).size).toBe(0);
  });

  it('goes where its sender says, where that may be chosen, whatever the rules say', async () => {
    const study = makeStudy(1);
    const id = await jane.send(study.files, { serviceLevel: 'stat', target: 'archive' });
    expect(firstOf(await delivered(id))).toMatchObject([{ target: 'archive', targetName: 'Archive' }]);
    expect(await inSandbox(archive, study)).toBe(1);
    const refused = await jane.post('/api/v1/uploads', {
      patientName: 'Doe^Jane',
      studyDate: '2026-01-02',
      modality: 'CT',
      serviceLevel: 'stat',
      fileCount: 1,
      totalBytes: 1,
      target: 'night',
    });
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'target' }] } });
    expect(refused.body.detail).toMatch(/default, archive/);
  });

  it('shows a sender the choices, and an administrator every PACS', async () => {
    const items = [
      { key: 'default', name: 'Main PACS' },
      { key: 'archive', name: 'Archive' },
    ];
    expect((await jane.get<TargetList>('/api/v1/targets')).body).toEqual({ items });
    const all = [...items, { key: 'night', name: 'night' }];
    expect((await admin.get<TargetList>('/api/v1/targets')).body).toEqual({ items, all });
  });
});

describe('a delivered study', () => {
  it('that was deleted in the PACS is sent again, byte for byte, with its clinical history', async () => {
    const study = makeStudy(3);
    const id = await jane.send(study.files, { clinicalHistory: 'Fell from a ladder.' });
    const before = await delivered(id);
    const sent = await orthancDigests(orthanc, study.studyInstanceUid);
    expect(sent.size).toBe(5);
    await removeFromOrthanc(study.studyInstanceUid);

    const answer = await resend(id);
    expect(answer).toMatchObject({
      status: 202,
      body: { id, status: 'delivered', studies: [{ target: 'default', resendOf: firstOf(before)[0]!.id }] },
    });
    const after = await resendEnded(id);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(sent);
    expect(resendsOf(after)).toMatchObject([
      {
        status: 'delivered',
        targetName: 'Main PACS',
        warnings: [],
        instances: { total: 5, verified: 5, failed: 0, alreadyThere: 0, documents: 2 },
      },
    ]);
    expect(ownState(after)).toEqual(ownState(before));
    expect(events(after).slice(-2)).toEqual(['study.resent Main PACS', 'study.resend_delivered Main PACS']);
    expect(
      (await jane.get<{ items: UploadDetail[] }>('/api/v1/uploads?limit=1')).body.items[0],
    ).toMatchObject({
      id,
      instances: before.instances,
    });
  });

  it('goes to another PACS as well, one of several by itself', async () => {
    const [one, two] = [makeStudy(2), makeStudy(1)];
    const id = await jane.send([...one.files, ...two.files]);
    const before = await delivered(id);
    const chosen = firstOf(before).find((study) => study.studyInstanceUid === one.studyInstanceUid)!;
    expect((await resend(id, { target: 'archive', studyId: chosen.id })).status).toBe(202);
    const after = await resendEnded(id);
    expect(resendsOf(after)).toMatchObject([{ resendOf: chosen.id, target: 'archive', status: 'delivered' }]);
    expect([await inSandbox(archive, one), await inSandbox(archive, two)]).toEqual([2, 0]);
    expect(ownState(after)).toEqual(ownState(before));
    // What is sent again once more repeats the first delivery, too.
    expect((await resend(id, { target: 'night', studyId: resendsOf(after)[0]!.id })).status).toBe(202);
    expect(resendsOf(await resendEnded(id, 2)).map(({ resendOf }) => resendOf)).toEqual([
      chosen.id,
      chosen.id,
    ]);
    expect(await inSandbox(night, one)).toBe(2);
  });

  it('stays delivered while it waits for another PACS, which can be changed', async () => {
    const { id, study, upload: before } = await sendDelivered();
    await archive.putFaults({ kind: 'refuse', on: 'any' });
    await resend(id, { target: 'archive' });
    const waiting = await jane.waitFor(id, (each) => resendsOf(each)[0]?.waitingFor === 'pacs');
    expect(ownState(waiting)).toEqual(ownState(before));
    const again = await resend(id, { target: 'archive' });
    expect(again).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    expect(again.body.detail).toMatch(/on its way to Archive already/);
    const [stuck] = resendsOf(waiting);
    const same = await resend(id, { target: 'archive', studyId: stuck!.id });
    expect(same.body.detail).toMatch(/on its way to Archive.*Name another PACS/);
    expect(await resend(id, { target: 'night', studyId: stuck!.id })).toMatchObject({
      status: 202,
      body: { status: 'delivered', studies: [{ id: stuck!.id, target: 'night' }] },
    });
    const after = await resendEnded(id);
    expect(resendsOf(after)).toMatchObject([{ id: stuck!.id, target: 'night', status: 'delivered' }]);
    expect(await inSandbox(night, study)).toBe(2);
    expect(ownState(after)).toEqual(ownState(before));
    expect(events(after)).toContain('study.redirected night');
  });

  it('stays delivered when another PACS refuses it, and can be sent there once more', async () => {
    const { id, study, upload: before } = await sendDelivered();
    await archive.putFaults({ kind: 'partialFailure', on: 'stow', reason: 43264, every: 2 });
    await resend(id, { target: 'archive' });
    const after = await resendEnded(id);
    expect(resendsOf(after)).toMatchObject([
      { status: 'failed', problem: { remedy: 'contact_pacs' }, instances: { total: 2, failed: 1 } },
    ]);
    expect(resendsOf(after)[0]!.problem!.detail).toMatch(/delivered before is not touched/);
    expect(ownState(after)).toEqual(ownState(before));
    expect(events(after).at(-1)).toBe('study.resend_failed Archive');
    await archive.deleteFaults();
    expect((await resend(id, { studyId: resendsOf(after)[0]!.id })).status).toBe(202);
    const last = await resendEnded(id, 2);
    expect(resendsOf(last).map(({ status, target }) => `${status} ${target}`)).toEqual([
      'failed archive',
      'delivered archive',
    ]);
    expect(await inSandbox(archive, study)).toBe(2);
  });

  it('that was sent again counts once for what was sent before', async () => {
    const { id, study } = await sendDelivered(1);
    await resend(id, { target: 'archive' });
    await resendEnded(id);
    await platform
      .db('studies')
      .where({ uploadId: id, resendOf: null })
      .update({ createdAt: new Date('2026-11-20') });
    const second = await delivered(await jane.send(study.files));
    expect(second.studies[0]!.warnings).toMatchObject([
      { code: 'SENT_BEFORE', message: expect.stringMatching(/on 2026-11-20/) },
    ]);
  });

  it('is sent again even when the job for it is lost', async () => {
    const { id, upload } = await sendDelivered(1);
    const first = await findStudy(platform.db, firstOf(upload)[0]!.id);
    const resendId = await platform.transact((unit) => insertResend(unit.trx, first!, 'archive'));
    expect(resendsOf(await resendEnded(id))).toMatchObject([{ id: resendId, status: 'delivered' }]);
  });
});

describe('an upload of which one study still waits', () => {
  it('is delivered when that is, whatever became of what was sent again of another', async () => {
    await archive.putFaults({ kind: 'refuse', on: 'any' });
    await night.putFaults({ kind: 'partialFailure', on: 'stow', reason: 43264 });
    const [there, waiting] = [makeStudy(1), makeStudy(1, US)];
    const id = await jane.send([...there.files, ...waiting.files]);
    const before = await jane.waitFor(id, ({ studies }) =>
      studies.some(({ status }) => status === 'delivered'),
    );
    const first = before.studies.find(({ studyInstanceUid }) => studyInstanceUid === there.studyInstanceUid)!;
    await resend(id, { target: 'night', studyId: first.id });
    const meanwhile = await resendEnded(id);
    expect(meanwhile).toMatchObject({ status: 'delivering', waitingFor: 'pacs', problem: null });
    await archive.deleteFaults();
    const after = await delivered(id);
    expect(after).toMatchObject({ problem: null, instances: { total: 2, verified: 2, failed: 0 } });
    expect(resendsOf(after)).toMatchObject([{ status: 'failed' }]);
  });
});

describe('a study that is not delivered', () => {
  it('goes to another PACS when the one it waits for stays away', async () => {
    await archive.putFaults({ kind: 'refuse', on: 'any' });
    const study = makeStudy(2, US);
    const id = await jane.send(study.files, US);
    const waiting = await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
    expect((await resend(id)).body.detail).toMatch(/on its way to Archive.*Name another PACS/);
    expect(await resend(id, { target: 'default' })).toMatchObject({
      status: 202,
      body: { status: 'delivering', studies: [{ id: waiting.studies[0]!.id, resendOf: null }] },
    });
    const after = await delivered(id);
    expect(after.studies).toMatchObject([{ target: 'default', resendOf: null, warnings: [] }]);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
    expect(events(after)).toContain('study.redirected Main PACS');
  });

  it('goes to another PACS from its beginning after one has refused part of it, and says where that part is', async () => {
    await archive.putFaults({ kind: 'partialFailure', on: 'stow', reason: 43264, every: 2, times: 1 });
    const study = makeStudy(4, US);
    const id = await jane.send(study.files, US);
    const failed = await jane.waitFor(id, ({ status }) => status === 'failed');
    expect(failed).toMatchObject({
      problem: { remedy: 'contact_pacs' },
      instances: { verified: 2, failed: 2 },
    });
    expect((await resend(id)).body.detail).toMatch(
      /not delivered to Archive. Retry it, or name another PACS/,
    );
    expect(await resend(id, { target: 'night' })).toMatchObject({
      status: 202,
      body: { status: 'delivering' },
    });
    const after = await delivered(id);
    expect(after).toMatchObject({
      problem: null,
      instances: { total: 4, verified: 4, failed: 0, alreadyThere: 0 },
    });
    expect(after.studies).toMatchObject([{ target: 'night', warnings: [{ code: 'PART_AT_ANOTHER_PACS' }] }]);
    expect(after.studies[0]!.warnings[0]!.message).toMatch(
      /from Archive to night when 2 of its 4 images had reached Archive/,
    );
    expect([await inSandbox(night, study), await inSandbox(archive, study)]).toEqual([4, 2]);
  });

  it('is out of the hands of a worker that was cut off when it is redirected', async () => {
    await archive.putFaults({ kind: 'refuse', on: 'any' });
    const id = await jane.send(makeStudy(1, US).files);
    const waiting = await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
    const study = { id: waiting.studies[0]!.id };
    const holder = newId();
    await platform
      .db('studies')
      .where(study)
      .update({
        claimedBy: holder,
        claimExpiresAt: new Date(Date.now() - 1000),
        nextAttemptAt: new Date(Date.now() + 60_000),
      });
    await platform.transact(async ({ trx }) => {
      expect(await redirectStudy(trx, study.id, 'night', undefined)).toMatchObject({ target: 'night' });
      expect(await holdsClaim(trx, 'studies', study.id, holder)).toBe(false);
    });
    await archive.deleteFaults();
    expect((await delivered(id)).studies).toMatchObject([{ target: 'night' }]);
  });

  it('is left to the worker that is at it', async () => {
    await archive.putFaults({ kind: 'slow', on: 'any', delayMs: 2000 });
    const id = await jane.send(makeStudy(1, US).files);
    await jane.waitFor(id, ({ studies }) => studies[0]?.status === 'delivering');
    expect(await resend(id, { target: 'default' })).toMatchObject({ status: 409 });
    expect((await resend(id, { target: 'default' })).body.detail).toMatch(/delivered to Archive right now/);
    await archive.deleteFaults();
    expect((await delivered(id)).studies).toMatchObject([{ target: 'archive' }]);
  });
});

describe('sending again', () => {
  it('is for a signed-in administrator', async () => {
    const { id } = await sendDelivered(1);
    const stranger = await ApiClient.signUp(stack.baseUrl);
    expect(await resend(id, {}, jane)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect(await resend(id, {}, stranger)).toMatchObject({ status: 404 });
    expect(await resend(id, {}, ApiClient.anonymous(stack.baseUrl))).toMatchObject({ status: 401 });
    expect(resendsOf(await jane.upload(id))).toEqual([]);
  });

  it('names the PACS there are, and refuses what is not there or not delivered', async () => {
    const { id } = await sendDelivered(1);
    const unknown = await resend(id, { target: 'moon' });
    expect(unknown).toMatchObject({ status: 422, body: { errors: [{ path: 'target' }] } });
    expect(unknown.body.detail).toMatch(/default, archive, night/);
    expect(await resend(id, { studyId: 'none' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'studyId' }] },
    });
    const open = await jane.announce();
    expect(await resend(open.id)).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    expect(await resend('0199a0a0-0000-7000-8000-000000000000')).toMatchObject({ status: 404 });
  });

  it('is noted with who did it', async () => {
    const { id } = await sendDelivered(1);
    await resend(id, { target: 'archive' });
    const user = await platform.db('users').where({ username: admin.username }).first('id');
    const rows = await platform.db('auditEvents').where({ objectId: id, action: 'study.resent' });
    expect(rows).toMatchObject([{ actorId: user.id, detail: { target: 'archive', studies: 1 } }]);
  });
});

describe('the bytes', () => {
  const twoHoursAgo = () => new Date(Date.now() - 2 * 3_600_000);
  const keysOf = (id: string): Promise<string[]> =>
    platform
      .db('fileSegments')
      .join('uploadFiles', 'uploadFiles.id', 'fileSegments.fileId')
      .where({ uploadId: id })
      .pluck('key');
  const stored = async (keys: readonly string[]) => {
    const names = new Set(await readdir(path.join(stack.dataDir, 'storage')));
    return keys.filter((key) => names.has(key)).length;
  };
  const endedLongAgo = (id: string) =>
    platform.db('uploads').where({ id }).update({ endedAt: twoHoursAgo() });

  it('go after the grace time, those of what was made here too, and then nothing can be sent again', async () => {
    const study = makeStudy(2);
    const id = await jane.send(study.files, { clinicalHistory: 'Fell from a ladder.' });
    await delivered(id);
    const keys = await keysOf(id);
    expect(await stored(keys)).toBe(4);
    expect(await removeBytes(platform, 0)).toBe(0);
    await endedLongAgo(id);
    expect(await removeBytes(platform, 0)).toBe(1);
    expect(await stored(keys)).toBe(0);
    expect(await keysOf(id)).toEqual([]);
    expect(await jane.upload(id)).toMatchObject({ status: 'delivered', bytesRemovedAt: expect.any(String) });
    const answer = await resend(id);
    expect(answer).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    expect(answer.body.detail).toMatch(/no longer kept here/);
  });

  it('stay while they are sent again, and for the grace time afterwards', async () => {
    const { id } = await sendDelivered(1);
    const keys = await keysOf(id);
    await archive.putFaults({ kind: 'refuse', on: 'any' });
    await resend(id, { target: 'archive' });
    await endedLongAgo(id);
    await jane.waitFor(id, (upload) => resendsOf(upload)[0]?.waitingFor === 'pacs');
    await platform.db('studies').where({ uploadId: id }).update({ updatedAt: twoHoursAgo() });
    expect(await removeBytes(platform, 0)).toBe(0);
    await archive.deleteFaults();
    await resendEnded(id);
    expect(await removeBytes(platform, 0)).toBe(0);
    expect(await stored(keys)).toBe(1);
    await platform.db('studies').where({ uploadId: id }).update({ updatedAt: twoHoursAgo() });
    expect(await removeBytes(platform, 0)).toBe(1);
    expect(await stored(keys)).toBe(0);
  });

  it('stay when they are sent again in the moment they were to go', async () => {
    const { id, upload } = await sendDelivered(1);
    const keys = await keysOf(id);
    await endedLongAgo(id);
    const first = await findStudy(platform.db, firstOf(upload)[0]!.id);
    let removing: Promise<number> | undefined;
    await platform.transact(async (unit) => {
      await unit.trx('uploads').where({ id }).forUpdate();
      removing = removeBytes(platform, 0);
      const waits = () => platform.db('pg_stat_activity').where({ wait_event_type: 'Lock' }).count();
      await expect.poll(waits, { timeout: 10_000 }).toMatchObject([{ count: 1 }]);
      await insertResend(unit.trx, first!, 'archive');
    });
    expect(await removing).toBe(0);
    expect(await stored(keys)).toBe(1);
  });
});
