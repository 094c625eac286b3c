import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { loadConfig } from '@relaypacs/core/config.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { buildDicom, type DicomOptions, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';

/** Refuses images without a Patient ID, as dcm4chee does. */
let pacs: TestSandbox;
let stack: Stack;
let platform: Platform;
let admin: ApiClient;
let jane: ApiClient;
let other: ApiClient;

beforeAll(async () => {
  pacs = await TestSandbox.start({ personality: 'dcm4chee' });
  stack = await startStack({ env: { PACS_URL: pacs.url, PACS_NAME: 'Hill PACS' } });
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
  other = await ApiClient.signUp(stack.baseUrl);
  const config = loadConfig({ DATABASE_URL: stack.databaseUrl, DATA_DIR: stack.dataDir });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await pacs?.stop();
});

interface Made {
  studyInstanceUid: string;
  files: Uint8Array[];
}

/** Images of one study; what is given for each comes on top. */
function makeImages(...each: DicomOptions[]): Made {
  const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
  const about = { patientName: 'Doe^Jane', studyDate: '20260102', patientId: 'P-1' };
  const files = each.map((more, i) =>
    buildDicom({ ...uids, ...about, sopInstanceUid: newUid(), instanceNumber: i + 1, ...more }),
  );
  return { studyInstanceUid: uids.studyInstanceUid, files };
}
const REFUSED = { omit: [TAG.patientId] };

/** Sends images of which the PACS refuses some. */
async function fail(...studies: Made[]): Promise<string> {
  const id = await jane.send(studies.flatMap(({ files }) => files));
  await jane.waitFor(id, ({ status }) => status === 'failed');
  return id;
}
const cancel = (client: ApiClient, id: string) => client.request('DELETE', `/api/v1/uploads/${id}`);
const close = (client: ApiClient, id: string) =>
  client.request('DELETE', `/api/v1/uploads/${id}?status=failed`);
const held = async ({ studyInstanceUid }: Made) => {
  const answer = await pacs.get(`/studies/${studyInstanceUid}/instances`);
  return answer.status === 200 ? ((await answer.json()) as unknown[]).length : 0;
};
const audited = (id: string) =>
  platform.db('auditEvents').where({ objectId: id, action: 'upload.cancelled' });
const userIdOf = async ({ username }: ApiClient) =>
  (await platform.db('users').where({ username }).first('id')).id;
/** Objects of the files of an upload in the storage. */
async function stored(id: string): Promise<number> {
  const files: string[] = await platform.db('uploadFiles').where({ uploadId: id }).pluck('id');
  const names = await readdir(path.join(stack.dataDir, 'storage'));
  return names.filter((name) => files.some((file) => name.startsWith(file))).length;
}
const lastEvent = ({ timeline }: UploadDetail) => timeline.at(-1);

describe('an upload that failed', () => {
  it('is closed by its sender, says what the PACS has of it, and loses its files', async () => {
    const study = makeImages({}, {}, REFUSED);
    const id = await fail(study);
    expect((await close(other, id)).status).toBe(404);
    expect((await close(jane, id)).status).toBe(204);
    const closed = await jane.upload(id);
    expect(closed).toMatchObject({
      status: 'cancelled',
      problem: { code: 'CLOSED_AFTER_FAILURE', remedy: 'new_upload' },
      instances: { total: 3, verified: 2, failed: 1 },
      studies: [{ status: 'failed', problem: { code: 'PACS_PATIENT_ID_MISSING', remedy: 'new_upload' } }],
    });
    expect(closed.problem!.detail).toMatch(
      /^Closed by its sender after it had failed\..* 2 of 3 images are in Hill PACS and stay there\./,
    );
    // What is over is not advised any more.
    expect(JSON.stringify([closed.problem, closed.studies])).not.toMatch(/press retry|safely here|Add it/i);
    expect(closed.studies[0]!.problem!.detail).toMatch(/The image has no patient ID\./);
    expect(lastEvent(closed)).toMatchObject({ event: 'cancelled' });
    expect(await audited(id)).toMatchObject([
      {
        actorId: await userIdOf(jane),
        detail: { problem: 'CLOSED_AFTER_FAILURE', imagesInPacs: 2, imagesUnsure: 0 },
      },
    ]);
    expect(await stored(id)).toBe(3);
    await removeBytes(platform, 0);
    expect(await stored(id)).toBe(0);
    expect(await jane.upload(id)).toMatchObject({ bytesRemovedAt: expect.any(String) });
    expect(await held(study)).toBe(2);
  });

  it('is not closed by whoever means to cancel one that is on its way, nor such a one by whoever means this', async () => {
    const id = await fail(makeImages(REFUSED));
    const refused = { status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } };
    expect(await cancel(jane, id)).toMatchObject({
      ...refused,
      body: { detail: expect.stringMatching(/kept here\. Nothing was changed\..*status=failed/) },
    });
    expect(await jane.upload(id)).toMatchObject({ status: 'failed' });
    const open = await jane.announce();
    expect(await close(jane, open.id)).toMatchObject(refused);
    expect(await jane.upload(open.id)).toMatchObject({ status: 'created' });
    expect((await jane.request('DELETE', `/api/v1/uploads/${id}?status=delivered`)).status).toBe(422);
  });

  it('is not said to be there, perhaps, when the PACS refused it each time', async () => {
    const id = await fail(makeImages(REFUSED));
    expect((await jane.post(`/api/v1/uploads/${id}/retry`)).status).toBeLessThan(300);
    const failures = ({ timeline }: UploadDetail) =>
      timeline.filter(({ event }) => event === 'failed').length;
    await jane.waitFor(id, (seen) => seen.status === 'failed' && failures(seen) === 2);
    await close(jane, id);
    expect((await jane.upload(id)).problem!.detail).toContain('Nothing of it is in Hill PACS.');
  });

  it('is closed once, and nothing of it goes on afterwards', async () => {
    const id = await fail(makeImages(REFUSED));
    await close(jane, id);
    expect((await jane.upload(id)).problem!.detail).toContain('Nothing of it is in Hill PACS.');
    expect((await close(jane, id)).status).toBe(204);
    const refused = { status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } };
    expect(await jane.post(`/api/v1/uploads/${id}/retry`)).toMatchObject(refused);
    expect(await jane.patch(`/api/v1/uploads/${id}`, { patientId: 'P' })).toMatchObject(refused);
    expect(await admin.post(`/api/v1/uploads/${id}/resend`)).toMatchObject(refused);
    expect(await audited(id)).toHaveLength(1);
  });

  it('keeps apart what was delivered of several studies, and what was not', async () => {
    const [whole, none] = [makeImages({}, {}), makeImages(REFUSED)];
    const id = await fail(whole, none);
    await close(jane, id);
    const closed = await jane.upload(id);
    const statuses = closed.studies.map(({ studyInstanceUid, status }) => [studyInstanceUid, status]);
    expect(new Map(statuses as Array<[string, string]>)).toEqual(
      new Map([
        [whole.studyInstanceUid, 'delivered'],
        [none.studyInstanceUid, 'failed'],
      ]),
    );
    expect(closed.problem!.detail).toContain('2 of 3 images are in Hill PACS and stay there.');
  });

  it('is closed by an administrator for somebody else, and both can see who did it', async () => {
    const id = await fail(makeImages(REFUSED));
    expect((await close(admin, id)).status).toBe(204);
    expect(await audited(id)).toMatchObject([{ actorId: await userIdOf(admin) }]);
    const closed = await jane.upload(id);
    expect(closed.problem!.detail).toMatch(/^Closed by an administrator after it had failed\./);
    expect(lastEvent(closed)).toMatchObject({ event: 'cancelled', by: 'administrator' });
  });

  it('stays as it is while a study of it is sent again', async () => {
    const [whole, none] = [makeImages({}), makeImages(REFUSED)];
    const id = await fail(whole, none);
    const studyId = (await jane.upload(id)).studies.find(({ status }) => status === 'delivered')!.id;
    await stack.worker.stop();
    expect((await admin.post(`/api/v1/uploads/${id}/resend`, { studyId })).status).toBe(202);
    const answer = await close(jane, id);
    expect(answer).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    expect(answer.body.detail).toMatch(/sent again.*Nothing was changed\./);
    expect(await jane.upload(id)).toMatchObject({ status: 'failed' });
    await stack.worker.start();
    await jane.waitFor(id, ({ studies }) => studies.every(({ status }) => status !== 'pending'));
    await expect.poll(async () => (await close(jane, id)).status).toBe(204);
  });

  it('goes on saying that images are in the PACS that should not be', async () => {
    const id = await fail(makeImages({}, REFUSED));
    const [study] = (await jane.upload(id)).studies;
    const fault = {
      code: 'FAULT_AFTER_EARLY_DELIVERY',
      title: 'Images went that should not have',
      detail: '',
    };
    await platform
      .db('instances')
      .where({ studyId: study!.id, status: 'verified' })
      .update({ status: 'failed', problem: JSON.stringify(fault) });
    await close(jane, id);
    const { problem } = await jane.upload(id);
    expect(problem).toMatchObject({ code: fault.code, remedy: 'contact_pacs' });
    expect(problem!.detail).toMatch(
      /1 image is, or may be, in Hill PACS and should not be: tell the people who run it/,
    );
    expect(problem!.detail).not.toContain('Nothing of it is in');
  });

  it('that could not be checked is closed with what had gone early, and without what had not', async () => {
    const [gone, kept] = [makeImages({}, {}), makeImages({})];
    const id = await jane.send([...gone.files, ...kept.files]);
    await jane.waitFor(id, ({ status }) => status === 'delivered');
    const studies = await platform.db('studies').where({ uploadId: id });
    const idOf = ({ studyInstanceUid }: Made) =>
      studies.find((each) => each.studyInstanceUid === studyInstanceUid).id;
    await platform.db('uploads').where({ id }).update({ status: 'failed' });
    await platform
      .db('studies')
      .where({ uploadId: id })
      .update({ status: 'pending', earlyDelivery: 'stopped' });
    const instances = (study: Made) => platform.db('instances').where({ studyId: idOf(study) });
    await instances(gone).limit(1).update({ status: 'pending', storedAt: null, verifiedAt: null });
    await instances(kept).update({ status: 'pending', storedAt: null, verifiedAt: null, sends: 0 });
    expect((await close(jane, id)).status).toBe(204);
    const closed = await jane.upload(id);
    expect(closed.studies).toMatchObject([
      { studyInstanceUid: gone.studyInstanceUid, status: 'failed', incomplete: true },
    ]);
    expect(closed.problem!.detail).toMatch(/images? (is|are|may be) in Hill PACS/);
  });
});

describe('an administrator', () => {
  it("takes back another's upload before anything goes to the PACS", async () => {
    const upload = await jane.announce({ fileCount: 2 });
    await jane.createFile(upload, new Uint8Array(5), 'a');
    expect((await cancel(admin, upload.id)).status).toBe(204);
    const cancelled = await jane.upload(upload.id);
    expect(cancelled).toMatchObject({ status: 'cancelled', problem: null });
    expect(lastEvent(cancelled)).toMatchObject({ event: 'cancelled', by: 'administrator' });
    expect(await audited(upload.id)).toMatchObject([{ actorId: await userIdOf(admin) }]);
  });

  it('may not do so by an API token, which is for own uploads', async () => {
    const upload = await jane.announce();
    const made = await admin.post('/api/v1/me/tokens', { name: 'script', scopes: ['uploads:write'] });
    const program = ApiClient.anonymous(stack.baseUrl);
    program.token = String(made.body.token);
    expect((await cancel(program, upload.id)).status).toBe(404);
  });
});
