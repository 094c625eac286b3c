import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDicomFile } from './testing/dicom-file.js';
import { TestSandbox } from './testing/sandbox-client.js';

let sandbox: TestSandbox;
beforeEach(async () => {
  sandbox = await TestSandbox.start();
});
afterEach(() => sandbox.stop());

const put = (body: string) => fetch(`${sandbox.origin}/faults`, { method: 'PUT', body });
const ask = async () => (await sandbox.get('/studies')).status;
const askTimes = async (times: number) => {
  const statuses: number[] = [];
  for (let at = 0; at < times; at++) statuses.push(await ask());
  return statuses;
};

describe('faults', () => {
  it('are listed with how often each fired, and are over after their times', async () => {
    await sandbox.putFaults({ kind: 'status', on: 'qido', status: 503, times: 2 });
    expect(await askTimes(3)).toEqual([503, 503, 200]);
    const response = await fetch(`${sandbox.origin}/faults`);
    expect(await response.json()).toEqual({
      faults: [{ kind: 'status', on: 'qido', status: 503, times: 2, fired: 2, over: true }],
    });
  });

  it('follow one another in the order they were put', async () => {
    await sandbox.putFaults(
      { kind: 'status', on: 'any', status: 500, times: 1 },
      { kind: 'status', on: 'any', status: 503, times: 1 },
    );
    expect(await askTimes(3)).toEqual([500, 503, 200]);
    expect(await sandbox.fired()).toEqual([1, 1]);
  });

  it('befall only the requests they are on', async () => {
    await sandbox.putFaults({ kind: 'status', on: 'wado', status: 503 });
    const { bytes, studyUid } = makeDicomFile();
    expect((await sandbox.stow([bytes])).status).toBe(200);
    expect(await ask()).toBe(200);
    expect((await sandbox.get(`/studies/${studyUid}`)).status).toBe(503);
    expect((await sandbox.get(`/studies/${studyUid}/metadata`)).status).toBe(503);
    expect((await sandbox.get(`/studies/${studyUid}/series`)).status).toBe(200);
  });

  it('come by chance, the same with the same seed', async () => {
    const run = async (seed: number) => {
      await sandbox.putFaults({ kind: 'status', on: 'qido', status: 503, chance: 0.5, seed });
      return askTimes(30);
    };
    const first = await run(7);
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });

  it('are all gone once deleted', async () => {
    await sandbox.putFaults({ kind: 'status', on: 'any', status: 503 });
    expect((await fetch(`${sandbox.origin}/faults`, { method: 'DELETE' })).status).toBe(204);
    expect([await ask(), await sandbox.fired()]).toEqual([200, []]);
  });

  it.each([
    ['nothing', '', 'The body must be JSON.'],
    ['no list', '{}', 'The body must be {"faults": [...]}.'],
    ['no object', '{"faults":[null]}', 'faults[0] must be an object.'],
    ['no kind', '{"faults":[{}]}', 'faults[0].kind must be one of refuse, slow,'],
    ['an inherited kind', '{"faults":[{"kind":"toString"}]}', 'faults[0].kind must be one of'],
    [
      'a wrong on',
      '{"faults":[{"kind":"forgets","on":"qido"}]}',
      'faults[0].on must be any or, for forgets,',
    ],
    ['an unknown field', '{"faults":[{"kind":"hang","after":1}]}', 'faults[0].after is unknown.'],
    [
      'a chance above 1',
      '{"faults":[{"kind":"hang","chance":2}]}',
      'faults[0].chance must be a number from 0',
    ],
    ['no status', '{"faults":[{"kind":"status"}]}', 'faults[0], status, needs status.'],
    ['a status of success', '{"faults":[{"kind":"status","status":200}]}', 'from 400 to 599'],
    ['slow without how', '{"faults":[{"kind":"slow"}]}', 'needs delayMs or bytesPerSecond'],
    ['no seconds', '{"faults":[{"kind":"storesButHides"}]}', 'needs seconds'],
  ])('are refused with a sentence for %s, and the old ones stay', async (_, body, sentence) => {
    await sandbox.putFaults({ kind: 'hang', on: 'wado' });
    const response = await put(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain(sentence);
    expect(await sandbox.fired()).toEqual([0]);
  });

  it('are refused when there are far too many', async () => {
    expect((await put('x'.repeat(5_000_000))).status).toBe(413);
  });
});

describe('statistics', () => {
  it('count requests by kind, and instances received, stored and sent again', async () => {
    const [first, second] = [makeDicomFile(), makeDicomFile()];
    await sandbox.stow([first.bytes, second.bytes]);
    await sandbox.stow([first.bytes, Buffer.from('garbage')]);
    await sandbox.stow([first.bytes]);
    await sandbox.get('/studies');
    await sandbox.get(`/studies/${first.studyUid}`);
    expect(await sandbox.statistics()).toEqual({
      requests: { stow: 3, qido: 1, wado: 1, token: 0 },
      instances: { received: 4, stored: 2, repeated: 2, needless: 2, mostOften: 3 },
    });
  });

  it('do not call an instance needless that was not stored or could not be found', async () => {
    const [refused, hidden] = [makeDicomFile(), makeDicomFile()];
    await sandbox.putFaults({ kind: 'partialFailure', on: 'stow', times: 1 });
    await sandbox.stow([refused.bytes]);
    await sandbox.stow([refused.bytes]);
    await sandbox.putFaults({ kind: 'storesButHides', on: 'stow', seconds: 60 });
    await sandbox.stow([hidden.bytes]);
    await sandbox.stow([hidden.bytes]);
    expect((await sandbox.statistics()).instances).toMatchObject({ stored: 2, repeated: 2, needless: 0 });
    await sandbox.deleteFaults();
    await sandbox.stow([hidden.bytes]);
    expect((await sandbox.statistics()).instances).toMatchObject({ stored: 2, repeated: 3, needless: 1 });
  });

  it('count requests that met a fault, but not the instances of which nothing was read', async () => {
    await sandbox.putFaults({ kind: 'status', on: 'stow', status: 503 });
    await sandbox.post([makeDicomFile().bytes]);
    const { requests, instances } = await sandbox.statistics();
    expect([requests.stow, instances.received]).toEqual([1, 0]);
  });

  it('begin anew once deleted', async () => {
    await sandbox.stow([makeDicomFile().bytes]);
    expect((await fetch(`${sandbox.origin}/statistics`, { method: 'DELETE' })).status).toBe(204);
    expect(await sandbox.statistics()).toMatchObject({
      requests: { stow: 0 },
      instances: { received: 0, stored: 0, repeated: 0 },
    });
  });
});
