import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import pg from 'pg';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

let orthanc: Orthanc;
let proxy: RecordingProxy;
let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  orthanc = await startOrthanc();
  proxy = await RecordingProxy.start(orthanc.url);
  stack = await startStack({ env: { ...pacsVariables(orthanc), PACS_URL: proxy.url } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
beforeEach(() => {
  // Each test counts the requests of its own delivery.
  proxy.stows.length = 0;
  proxy.onStowBytes = () => {};
  proxy.onStowAnswer = () => {};
});
afterAll(async () => {
  await stack?.stop();
  await proxy?.close();
  await orthanc?.dispose();
});

/** The study stands in Orthanc complete, byte for byte, and Orthanc was made to store each object once. */
async function expectArrivedOnce(id: string, study: MadeStudy): Promise<void> {
  const upload = await jane.waitFor(
    id,
    ({ status }) => status === 'delivered' || status === 'failed',
    60_000,
  );
  expect(upload).toMatchObject({
    status: 'delivered',
    instances: { verified: study.files.length, failed: 0 },
  });
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  const stored = proxy.stored();
  expect([...study.digests.keys()].filter((uid) => stored.get(uid) !== 1)).toEqual([]);
}

/**
 * Lets the first request of a delivery through and holds the others before the PACS, so that there is a middle to
 * strike in, however slow the machine is.
 *
 * @returns what lets them go on
 */
function holdAllButFirst(): () => void {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  proxy.onStowBytes = (_bytes, nth) => (nth > 1 ? released : undefined);
  return release;
}

const isHalfSent = ({ instances: { stored, total } }: UploadDetail) => stored > 0 && stored < total;

/** Sends every file with tus-js-client, which retries by itself, and tells when the first has arrived. */
function sendWithRetries(study: MadeStudy, upload: { id: string; tusEndpoint: string; uploadToken: string }) {
  let begun = () => {};
  const firstArrived = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const waiting = study.files.entries();
  const lane = async () => {
    for (const [index, file] of waiting) {
      await new Promise<void>((resolve, reject) => {
        new TusUpload(Buffer.from(file), {
          endpoint: upload.tusEndpoint,
          chunkSize: 64 * 1024,
          uploadDataDuringCreation: true,
          retryDelays: Array.from({ length: 60 }, () => 250),
          headers: { Authorization: `Bearer ${upload.uploadToken}` },
          metadata: { uploadId: upload.id, filename: `IM${index}`, clientId: `file-${index}` },
          onSuccess: () => resolve(),
          onError: reject,
        }).start();
      });
      begun();
    }
  };
  return { firstArrived, done: Promise.all(Array.from({ length: 4 }, lane)) };
}

describe('a study survives', () => {
  it('kill -9 of the server, again and again, in the middle of the transfer', async () => {
    const study = makeStudy(60, { rows: 256, columns: 256 });
    const totalBytes = study.files.reduce((sum, file) => sum + file.length, 0);
    const upload = await jane.announce({ fileCount: study.files.length, totalBytes });
    const sending = sendWithRetries(study, upload);
    await sending.firstArrived;
    for (let i = 1; i <= 4; i += 1) {
      // Each time at another moment of some file's way.
      await jane.waitFor(upload.id, ({ filesReceived }) => filesReceived >= i * 10);
      await stack.server.kill();
      await stack.server.start();
    }
    await sending.done;
    await expectArrivedOnce(upload.id, study);
    expect((await jane.upload(upload.id)).files).toHaveLength(study.files.length);
  });

  it('kill -9 of PostgreSQL in the middle of the transfer', async () => {
    const study = makeStudy(24, { rows: 256, columns: 256 });
    const totalBytes = study.files.reduce((sum, file) => sum + file.length, 0);
    const upload = await jane.announce({ fileCount: study.files.length, totalBytes });
    const sending = sendWithRetries(study, upload);
    await sending.firstArrived;
    process.kill(stack.postgres.pid, 'SIGKILL');
    await sending.done;
    await expectArrivedOnce(upload.id, study);
  });

  it('kill -9 of the worker in the middle of delivery', async () => {
    const study = makeStudy(70);
    const goOn = holdAllButFirst();
    const id = await jane.send(study.files);
    await jane.waitFor(id, isHalfSent);
    await stack.worker.kill();
    goOn();
    await stack.worker.start();
    await expectArrivedOnce(id, study);
  });

  it('kill -9 of PostgreSQL in the middle of delivery', async () => {
    const study = makeStudy(70);
    const goOn = holdAllButFirst();
    const id = await jane.send(study.files);
    await jane.waitFor(id, isHalfSent);
    process.kill(stack.postgres.pid, 'SIGKILL');
    goOn();
    await expectArrivedOnce(id, study);
  });

  it('a PACS that stops during delivery and comes back', async () => {
    const study = makeStudy(70);
    const goOn = holdAllButFirst();
    const id = await jane.send(study.files);
    await jane.waitFor(id, isHalfSent);
    await orthanc.stop();
    goOn();
    const waiting = await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
    expect(waiting).toMatchObject({ status: 'delivering', problem: null });
    await orthanc.start();
    await expectArrivedOnce(id, study);
    expect(await jane.upload(id)).toMatchObject({ waitingFor: null });
  });

  it('an answer of the PACS that is lost after it has stored the objects', async () => {
    const study = makeStudy(30);
    proxy.onStowAnswer = (nth) => nth === 1 && proxy.cut();
    await expectArrivedOnce(await jane.send(study.files), study);
  });

  it('a second worker beside the first, without anything sent twice', async () => {
    const second = await stack.addWorker();
    const studies = Array.from({ length: 8 }, () => makeStudy(6));
    const ids = await Promise.all(studies.map((study) => jane.send(study.files)));
    for (const [index, id] of ids.entries()) await expectArrivedOnce(id, studies[index]!);
    await second.stop();
  });

  it('an orderly stop of the worker in the middle of delivery, without waiting for its claim to run out', async () => {
    const study = makeStudy(130);
    const goOn = holdAllButFirst();
    const id = await jane.send(study.files);
    await jane.waitFor(id, isHalfSent);
    const begun = performance.now();
    const stopped = stack.worker.stop();
    goOn();
    expect(await stopped).toBe(0);
    // Sooner than requests are ended that do not end by themselves.
    expect(performance.now() - begun).toBeLessThan(10_000);
    const database = new pg.Client({ connectionString: stack.databaseUrl });
    await database.connect();
    const { rows } = await database.query('SELECT claimed_by FROM studies WHERE study_instance_uid = $1', [
      study.studyInstanceUid,
    ]);
    await database.end();
    expect(rows).toEqual([{ claimed_by: null }]);
    await stack.worker.start();
    await expectArrivedOnce(id, study);
  });
});
