import { createHash } from 'node:crypto';
import { loadConfig } from '@relaypacs/core/config.js';
import type {
  CreateUploadRequest,
  CreateUploadResponse,
  UploadDetail,
} from '@relaypacs/core/contract/uploads.js';
import { buildDicom, makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

let orthanc: Orthanc;
let proxy: RecordingProxy;
let stack: Stack;
let platform: Platform;
let jane: ApiClient;

beforeAll(async () => {
  orthanc = await startOrthanc();
  proxy = await RecordingProxy.start(orthanc.url);
  stack = await startStack({
    env: {
      ...pacsVariables({ ...orthanc, url: proxy.url }),
      DELIVERY_EAGER: 'stat',
      PACS_NAME: 'Main Archive',
    },
  });
  jane = await ApiClient.signUp(stack.baseUrl);
  const config = loadConfig({
    DATABASE_URL: stack.databaseUrl,
    DATA_DIR: stack.dataDir,
    PACS_URL: proxy.url,
  });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
beforeEach(() => {
  proxy.onStowBytes = () => {};
  proxy.stows.length = 0;
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await proxy?.close();
  await orthanc?.dispose();
});

/** Has the PACS wait in the middle of a request until `go` is called. */
function holdStows(): { isHeld(): boolean; go(): void } {
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  let isHeld = false;
  proxy.onStowBytes = () => {
    isHeld = true;
    return held;
  };
  return { isHeld: () => isHeld, go };
}

/** A STAT upload whose files are sent one at a time. */
class Sending {
  readonly upload: CreateUploadResponse;
  private readonly files: readonly Uint8Array[];
  private next = 0;

  private constructor(upload: CreateUploadResponse, files: readonly Uint8Array[]) {
    this.upload = upload;
    this.files = files;
  }

  static async begin(
    files: readonly Uint8Array[],
    given: Partial<CreateUploadRequest> = {},
    from = jane,
  ): Promise<Sending> {
    const totalBytes = files.reduce((sum, file) => sum + file.length, 0);
    const announced = { serviceLevel: 'stat', fileCount: files.length, totalBytes, ...given } as const;
    return new Sending(await from.announce(announced), files);
  }

  get id(): string {
    return this.upload.id;
  }

  /** @returns the URLs of the files */
  async send(count: number, from = jane): Promise<string[]> {
    const urls: string[] = [];
    for (const file of this.files.slice(this.next, this.next + count)) {
      const answer = await from.createFile(this.upload, file, `IM${this.next}`);
      expect(answer.status).toBe(201);
      urls.push(String(answer.headers.get('location')));
      this.next += 1;
    }
    return urls;
  }

  rest(): Promise<string[]> {
    return this.send(this.files.length - this.next);
  }

  /** Waits until so many images are confirmed by the PACS while the upload still takes files. */
  inPacs(verified: number): Promise<UploadDetail> {
    return jane.waitFor(
      this.id,
      ({ status, instances }) => status === 'uploading' && instances.verified === verified,
    );
  }

  ended(status: UploadDetail['status']): Promise<UploadDetail> {
    return jane.waitFor(this.id, (upload) => upload.status === status);
  }
}

const study = (slices: number, more = {}) => makeStudy(slices, { studyDate: '20260102', ...more });

const onceEach = ({ digests }: MadeStudy) => new Map([...digests.keys()].map((uid) => [uid, 1]));
const sopUids = ({ digests }: MadeStudy) => [...digests.keys()];
const sentUids = () => [...proxy.sent().keys()];
const row = (id: string) => platform.db('studies').where({ uploadId: id }).first();

/** Delivers another study: whatever was to be done early before it has been done since. */
async function deliverAnother(): Promise<MadeStudy> {
  const another = study(1, { patientName: 'Moe^Al' });
  const id = await jane.send(another.files, { serviceLevel: 'stat', patientName: 'Moe^Al' });
  await jane.waitFor(id, ({ status }) => status === 'delivered');
  return another;
}

describe('a STAT upload', () => {
  it('is delivered while it still arrives, and each image once', async () => {
    const made = study(8);
    const sending = await Sending.begin(made.files);
    await sending.send(1);
    const first = await sending.inPacs(1);
    expect(first.filesReceived).toBe(1);
    expect(first.waitingFor).toBeNull();
    expect(first.studies).toMatchObject([
      {
        studyInstanceUid: made.studyInstanceUid,
        patientName: 'Doe, Jane',
        modalities: ['CT'],
        seriesCount: 1,
        status: 'delivering',
        incomplete: true,
        deliveredAt: null,
        instances: { total: 1, verified: 1 },
      },
    ]);
    expect((await orthancDigests(orthanc, made.studyInstanceUid)).size).toBe(1);
    await sending.send(3);
    await sending.inPacs(4);
    expect([...(await orthancDigests(orthanc, made.studyInstanceUid)).keys()].sort()).toEqual(
      sopUids(made).slice(0, 4).sort(),
    );

    // Nothing is asked and nothing counted while there is nothing to send.
    await expect.poll(async () => (await row(sending.id)).earlyDelivery).toBe('waiting');
    const [{ attempts }, queries] = [await row(sending.id), proxy.queries];
    const another = await deliverAnother();
    const { earlyDelivery, attempts: after, claimedBy } = await row(sending.id);
    expect({ earlyDelivery, after, claimedBy }).toEqual({
      earlyDelivery: 'waiting',
      after: attempts,
      claimedBy: null,
    });
    expect(proxy.queries - queries).toBeLessThanOrEqual(3);

    await sending.rest();
    const delivered = await sending.ended('delivered');
    expect(delivered).toMatchObject({ problem: null, instances: { total: 8, verified: 8, alreadyThere: 0 } });
    expect(delivered.studies).toMatchObject([
      { id: first.studies[0]?.id, status: 'delivered', incomplete: false },
    ]);
    expect(delivered.timeline.map(({ event }) => event)).toContain('early_delivery');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
    expect(proxy.sent()).toEqual(new Map([...onceEach(made), ...onceEach(another)]));
  });

  it('goes on with what arrives while images are on their way', async () => {
    const made = study(6);
    const sending = await Sending.begin(made.files, { clinicalHistory: 'Fell from a horse.' });
    const { isHeld, go } = holdStows();
    await sending.send(2);
    await expect.poll(isHeld).toBe(true);
    // All of it is here and checked before the PACS has answered for the first.
    await sending.rest();
    await sending.ended('delivering');
    expect((await row(sending.id)).earlyDelivery).toBeNull();
    go();
    const { studies } = await sending.ended('delivered');
    expect(studies).toMatchObject([{ instances: { total: 8, verified: 8, documents: 2 } }]);
    expect(sopUids(made).map((uid) => proxy.sent().get(uid))).toEqual(made.files.map(() => 1));
    expect([...proxy.sent().values()].every((times) => times === 1)).toBe(true);
  });

  it('goes on after its worker was killed, without sending anything twice', async () => {
    const made = study(6, { rows: 256, columns: 256 });
    const sending = await Sending.begin(made.files);
    await sending.send(1);
    await sending.inPacs(1);
    let isHeld = false;
    proxy.onStowBytes = (bytes) => {
      if (bytes < 100_000) return;
      isHeld = true;
      return new Promise(() => {});
    };
    await sending.send(3);
    await jane.waitFor(sending.id, ({ instances }) => instances.total === 4);
    await expect.poll(() => isHeld).toBe(true);
    await stack.worker.kill();
    proxy.cut();
    proxy.onStowBytes = () => {};
    expect(await jane.upload(sending.id)).toMatchObject({ status: 'uploading', instances: { verified: 1 } });
    // Its claim would run out by itself.
    await platform
      .db('studies')
      .where({ uploadId: sending.id })
      .update({ claimExpiresAt: new Date(0) });
    await stack.worker.start();
    await sending.inPacs(4);
    await sending.rest();
    await sending.ended('delivered');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
    expect(proxy.stored()).toEqual(onceEach(made));
  });

  it('goes on after its server was killed, without sending anything twice', async () => {
    const made = study(5);
    const sending = await Sending.begin(made.files);
    const { isHeld, go } = holdStows();
    await sending.send(2);
    await expect.poll(isHeld).toBe(true);
    await stack.server.kill();
    go();
    await stack.server.start();
    await sending.inPacs(2);
    await sending.rest();
    await sending.ended('delivered');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
    expect(proxy.sent()).toEqual(onceEach(made));
  });

  it('sends early only what is beyond doubt by itself', async () => {
    const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
    const base = { ...uids, patientName: 'Doe^Jane', studyDate: '20260102' };
    const program = makeSlice({ ...base, instanceNumber: 2 });
    program.set(new TextEncoder().encode('MZ'), 0);
    const otherDate = study(1, { studyDate: '20260103' });
    const good = newUid();
    const files = [
      program,
      zipSync({ IM3: makeSlice({ ...base, instanceNumber: 3 }) }),
      buildDicom({ ...base, instanceNumber: 4 }).subarray(0, 400),
      new TextEncoder().encode('Read me'),
      otherDate.files[0] as Uint8Array,
      makeSlice({ ...base, sopInstanceUid: good, instanceNumber: 1 }),
      makeSlice({ ...base, instanceNumber: 5 }),
    ];
    const sending = await Sending.begin(files);
    await sending.send(6);
    await sending.inPacs(1);
    await deliverAnother();
    expect(sentUids().filter((uid) => uid !== good)).toHaveLength(1);
    expect((await jane.upload(sending.id)).instances).toMatchObject({ total: 1, verified: 1 });
    await sending.rest();
    const { studies } = await sending.ended('delivered');
    expect(studies.map(({ instances }) => instances.verified).sort()).toEqual([1, 4]);
  });

  it('does not send early what is not what was announced', async () => {
    const made = study(3);
    const [wrong, right, last] = made.files as [Uint8Array, Uint8Array, Uint8Array];
    const sending = await Sending.begin(made.files);
    const headers = { authorization: `Bearer ${sending.upload.uploadToken}`, 'tus-resumable': '1.0.0' };
    const created = await jane.request('POST', '/files', {
      headers: {
        ...headers,
        'upload-length': String(wrong.length),
        'upload-metadata': `filename ${btoa('IM0')}`,
      },
    });
    const url = String(created.headers.get('location'));
    const announcedSha256 = createHash('sha256').update('something else').digest();
    await platform
      .db('uploadFiles')
      .where({ id: url.split('/').at(-1) })
      .update({ announcedSha256 });
    const patched = await jane.request('PATCH', new URL(url).pathname, {
      headers: { ...headers, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      body: wrong as Uint8Array<ArrayBuffer>,
    });
    expect(patched.status).toBe(204);
    await jane.createFile(sending.upload, right, 'IM1');
    await sending.inPacs(1);
    await jane.createFile(sending.upload, last, 'IM2');
    const upload = await sending.ended('delivered');
    expect(upload.files.flatMap(({ problem }) => problem?.code ?? [])).toEqual(['TRANSFER_DAMAGED']);
    expect(sentUids().sort()).toEqual(sopUids(made).slice(1).sort());
  });
});

describe('what went and should not have', () => {
  it('is said when images of another patient come under the same study', async () => {
    const made = study(4, { patientId: '4711' });
    const other = makeSlice({
      studyInstanceUid: made.studyInstanceUid,
      patientName: 'Roe^Mary',
      patientId: '815',
    });
    const sending = await Sending.begin([...made.files.slice(0, 2), other, ...made.files.slice(2)]);
    await sending.send(2);
    await sending.inPacs(2);
    await sending.send(2);
    await expect.poll(async () => (await row(sending.id)).earlyDelivery).toBe('stopped');
    await deliverAnother();
    expect((await orthancDigests(orthanc, made.studyInstanceUid)).size).toBe(2);
    await sending.rest();
    const failed = await sending.ended('failed');
    expect(failed.problem).toMatchObject({ code: 'FAULT_AFTER_EARLY_DELIVERY' });
    expect(failed.problem?.detail).toMatch(
      /^2 images are in Main Archive already, .* what is wrong: different patients in one study\. .*tell the people who run the PACS/,
    );
    expect(failed.studies).toMatchObject([
      { status: 'failed', incomplete: false, instances: { total: 2, failed: 2, verified: 0 } },
    ]);
    expect(failed.files.map(({ status, problem }) => [status, problem?.code])).toEqual(
      failed.files.map(() => ['rejected', 'MIXED_PATIENTS']),
    );
    const [gone, , otherFile] = failed.files;
    expect(gone?.problem?.detail).toMatch(/^This was found only after the file had gone to the PACS/);
    expect(otherFile?.problem?.detail).toMatch(/This one was not sent, but others of the study had gone/);
    expect(JSON.stringify(failed)).not.toMatch(/none of them was sent/i);
    const retried = await jane.post(`/api/v1/uploads/${sending.id}/retry`);
    expect(retried).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/put right there/) },
    });
    expect((await orthancDigests(orthanc, made.studyInstanceUid)).size).toBe(2);
  });

  it('is said when one image turns out to be damaged, and the others are delivered', async () => {
    const made = study(4);
    const sending = await Sending.begin(made.files);
    const [first] = await sending.send(2);
    await sending.inPacs(2);
    await stack.worker.stop();
    await sending.rest();
    const id = String(first?.split('/').at(-1));
    const files = [
      { id, size: made.files[0]?.length, sha256: createHash('sha256').update('other').digest('hex') },
    ];
    expect((await jane.post(`/api/v1/uploads/${sending.id}/complete`, { files })).status).toBe(202);
    await stack.worker.start();
    const failed = await sending.ended('failed');
    expect(failed.problem?.code).toBe('FAULT_AFTER_EARLY_DELIVERY');
    expect(failed.problem?.detail).toMatch(
      /^1 image is in Main Archive already, .* what is wrong: not what was sent\./,
    );
    expect(failed.studies).toMatchObject([
      { status: 'failed', instances: { total: 4, verified: 3, failed: 1 } },
    ]);
    expect((await orthancDigests(orthanc, made.studyInstanceUid)).size).toBe(4);
    expect(proxy.sent()).toEqual(onceEach(made));
  });
});

describe('an upload of which images went', () => {
  it('can be neither cancelled nor lose their files, and goes on', async () => {
    const made = study(3);
    const sending = await Sending.begin(made.files);
    const [url] = await sending.send(1);
    await sending.inPacs(1);
    const refused = await jane.request('DELETE', `/api/v1/uploads/${sending.id}`);
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({
      code: 'UPLOAD_STATE_CONFLICT',
      detail:
        '1 image is in Main Archive already, so the upload can no longer be taken back. Nothing was changed. Send the rest; or, if it must not be there, tell the people who run the PACS.',
    });
    const removed = await jane.request('DELETE', new URL(String(url)).pathname, {
      headers: { authorization: `Bearer ${sending.upload.uploadToken}`, 'tus-resumable': '1.0.0' },
    });
    expect(removed.status).toBe(409);
    await sending.rest();
    await sending.ended('delivered');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
  });

  it('says so when its time runs out, and so does the audit trail', async () => {
    const made = study(3);
    const sending = await Sending.begin(made.files);
    await sending.send(2);
    await sending.inPacs(2);
    await platform
      .db('uploads')
      .where({ id: sending.id })
      .update({ expiresAt: new Date(0) });
    await expect
      .poll(async () => {
        await expireUploads(platform);
        return (await jane.upload(sending.id)).status;
      })
      .toBe('expired');
    const expired = await jane.upload(sending.id);
    expect(expired.problem).toMatchObject({ code: 'UPLOAD_EXPIRED_IN_PART' });
    expect(expired.problem?.detail).toMatch(
      /2 images are in (PACS|the PACS|Main Archive) already, so the study there is incomplete; the others were not sent\. Send the whole study again/,
    );
    expect(expired.studies).toMatchObject([
      { status: 'failed', incomplete: true, instances: { verified: 2 } },
    ]);
    const audit = await platform
      .db('auditEvents')
      .where({ objectId: sending.id, action: 'upload.expired' })
      .first();
    expect(audit.detail).toEqual({ imagesSent: 2, problem: 'UPLOAD_EXPIRED_IN_PART' });
    // Sent anew, only the third goes.
    const again = await jane.send(made.files, { serviceLevel: 'stat' });
    await jane.waitFor(again, ({ status }) => status === 'delivered');
    expect(proxy.sent()).toEqual(onceEach(made));
  });

  it('is checked as a whole before it is tried again', async () => {
    const made = study(3);
    const sending = await Sending.begin(made.files);
    await sending.send(2);
    await sending.inPacs(2);
    await stack.worker.stop();
    await sending.rest();
    await platform.db('uploads').where({ id: sending.id }).update({ status: 'failed', attempts: 20 });
    expect((await jane.post(`/api/v1/uploads/${sending.id}/retry`)).body).toMatchObject({
      status: 'processing',
    });
    await stack.worker.start();
    await sending.ended('delivered');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
    expect(proxy.sent()).toEqual(onceEach(made));
  });
});

describe('nothing goes early', () => {
  it('of an upload that is not STAT, or whose sender is to be asked', async () => {
    const kinds = [{ serviceLevel: 'emergency' }, { serviceLevel: 'routine' }, { onDoubt: 'ask' }] as const;
    const sendings = await Promise.all(kinds.map((given) => Sending.begin(study(2).files, given)));
    for (const sending of sendings) await sending.send(1);
    const another = await deliverAnother();
    expect(sentUids()).toEqual(sopUids(another));
    for (const sending of sendings) {
      expect(await jane.upload(sending.id)).toMatchObject({ status: 'uploading', studies: [] });
      await sending.rest();
      await sending.ended('delivered');
    }
  });

  it('where the variable is not set, nor any more where it was', async () => {
    const begun = study(2);
    const before = await Sending.begin(begun.files);
    await before.send(1);
    await before.inPacs(1);
    await expect.poll(async () => (await row(before.id)).earlyDelivery).toBe('waiting');
    await stack.worker.stop();
    await platform
      .db('studies')
      .where({ uploadId: before.id })
      .update({ earlyDelivery: 'going', earlyDueAt: null });
    proxy.stows.length = 0;
    const unset = { DELIVERY_EAGER: '' };
    const [{ baseUrl }] = await Promise.all([stack.addServer(unset), stack.addWorker(unset)]);
    const mary = await ApiClient.signUp(baseUrl);
    const made = study(3);
    const sending = await Sending.begin(made.files, {}, mary);
    await sending.send(2, mary);
    const whole = study(1);
    const id = await mary.send(whole.files, { serviceLevel: 'stat' });
    await mary.waitFor(id, ({ status }) => status === 'delivered');
    expect(sentUids()).toEqual(sopUids(whole));
    expect(await row(before.id)).toMatchObject({ earlyDelivery: 'going', claimedBy: null });
    await before.rest();
    await before.ended('delivered');
    expect(await orthancDigests(orthanc, begun.studyInstanceUid)).toEqual(begun.digests);
    expect(await mary.upload(sending.id)).toMatchObject({ status: 'uploading', studies: [] });
    await sending.send(1, mary);
    await mary.waitFor(sending.id, ({ status }) => status === 'delivered');
    expect(await orthancDigests(orthanc, made.studyInstanceUid)).toEqual(made.digests);
  });
});
