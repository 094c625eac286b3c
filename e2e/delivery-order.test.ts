import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { claimNextStudy, type QueueTarget } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { ensureCircuits, updateCircuit } from '@relaypacs/core/db/pacs-circuits.js';
import { newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DeliveryDispatcher } from '../worker/src/delivery/dispatcher.js';
import { DeliveryFixture, makeStudy } from './support/delivery-fixture.js';
import { FaultyPacs } from './support/faulty-pacs.js';

let fixture: DeliveryFixture;

beforeAll(async () => {
  fixture = await DeliveryFixture.start('order');
});
beforeEach(async () => {
  await fixture.db('studies').delete();
  await fixture.db('pacsCircuits').delete();
  await fixture.db('deliveryTurns').delete();
});
afterAll(async () => {
  await fixture?.close();
});

const anywhere: QueueTarget[] = [{ key: DEFAULT_TARGET, concurrency: 10_000 }];

async function addUser(): Promise<string> {
  const id = newId();
  await fixture.db('users').insert({
    id,
    username: `user-${id}`,
    email: `${id}@example.org`,
    passwordHash: 'none',
    role: 'Clinician',
    status: 'active',
  });
  return id;
}

/** Studies that wait, as rows only: enough to ask for their order. */
async function addWaiting(
  userId: string,
  serviceLevel: ServiceLevel,
  count: number,
  target = DEFAULT_TARGET,
): Promise<string[]> {
  const uploads = Array.from({ length: count }, () => ({
    id: newId(),
    userId,
    status: 'delivering',
    serviceLevel,
    patientName: 'Doe^Jane',
    studyDate: '2026-01-05',
    modality: 'CT',
    fileCount: 1,
    totalBytes: 1,
    dedupeKey: Buffer.alloc(32),
    expiresAt: new Date(Date.now() + 86_400_000),
  }));
  const studies = uploads.map(({ id: uploadId }) => ({
    id: newId(),
    uploadId,
    target,
    studyInstanceUid: newUid(),
    seriesCount: 1,
    status: 'pending',
  }));
  await fixture.db('uploads').insert(uploads);
  await fixture.db('studies').insert(studies);
  return studies.map(({ id }) => id);
}

async function claimMany(count: number, targets = anywhere): Promise<Array<string | undefined>> {
  const claimed: Array<string | undefined> = [];
  for (let i = 0; i < count; i += 1) {
    claimed.push(await claimNextStudy(fixture.db, targets, newId(), 60, 'off'));
  }
  return claimed;
}

const finish = (id: string) =>
  fixture.db('studies').where({ id }).update({ status: 'delivered', claimedBy: null });

describe('the next study', () => {
  it('is a STAT one before emergency before routine, also while 1,000 wait', async () => {
    const sender = await addUser();
    await addWaiting(sender, 'routine', 1000);
    const emergency = await addWaiting(sender, 'emergency', 2);
    const stat = await addWaiting(await addUser(), 'stat', 2);
    const startedAt = performance.now();
    const claimed = await claimMany(5);
    expect(claimed.slice(0, 4)).toEqual([...stat, ...emergency]);
    expect(claimed[4]).toBeDefined();
    // Generous: it is some 10 ms here. A query that reads instances, or that knows no index, takes far longer.
    expect((performance.now() - startedAt) / 5).toBeLessThan(250);
  });

  it('is that of a sender of whom nothing is under way, whoever sent more and earlier', async () => {
    const [many, few] = [await addUser(), await addUser()];
    const heap = await addWaiting(many, 'routine', 50);
    const single = await addWaiting(few, 'routine', 2);
    const claimed = await claimMany(4);
    expect(claimed).toEqual([heap[0], single[0], expect.any(String), expect.any(String)]);
    expect(new Set(claimed)).toEqual(new Set([heap[0], heap[1], single[0], single[1]]));
  });

  it('goes in turns between senders also when one is delivered after another', async () => {
    const [many, few] = [await addUser(), await addUser()];
    const heap = await addWaiting(many, 'routine', 5);
    const single = await addWaiting(few, 'routine', 2);
    const order: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const [id = ''] = await claimMany(1);
      order.push(id);
      await finish(id);
    }
    expect(order).toEqual([heap[0], single[0], heap[1], single[1], heap[2]]);
  });

  it('is claimed no more often than its PACS takes studies at once, however many workers ask', async () => {
    const sender = await addUser();
    await addWaiting(sender, 'routine', 10, 'archive');
    const [here] = await addWaiting(sender, 'routine', 1);
    const targets = [
      { key: 'archive', concurrency: 3 },
      { key: DEFAULT_TARGET, concurrency: 1 },
    ];
    const claims = Array.from({ length: 8 }, () => claimNextStudy(fixture.db, targets, newId(), 60, 'off'));
    const claimed = (await Promise.all(claims)).filter((id) => id !== undefined);
    expect(new Set(claimed).size).toBe(4);
    expect(claimed).toContain(here);
    expect(await claimMany(1, targets)).toEqual([undefined]);
  });

  it('is one of a PACS that takes studies: none of one that is away, and a single one of one that came back', async () => {
    const sender = await addUser();
    await ensureCircuits(fixture.db, ['away', 'back']);
    await updateCircuit(fixture.db, 'away', { state: 'open' });
    await updateCircuit(fixture.db, 'back', { state: 'half_open' });
    await addWaiting(sender, 'stat', 3, 'away');
    const back = await addWaiting(sender, 'routine', 3, 'back');
    const [unknown] = await addWaiting(sender, 'stat', 1, 'gone');
    const targets = ['away', 'back'].map((key) => ({ key, concurrency: 5 }));
    expect(await claimMany(2, targets)).toEqual([back[0], undefined]);
    expect(unknown).toBeDefined();
  });

  it('is not one that another upload delivers at the time, nor one whose time has not come', async () => {
    const sender = await addUser();
    const [one = '', two = '', later = ''] = await addWaiting(sender, 'routine', 3);
    const { studyInstanceUid } = await fixture.study(one);
    await fixture.db('studies').where({ id: two }).update({ studyInstanceUid });
    await fixture
      .db('studies')
      .where({ id: later })
      .update({ nextAttemptAt: new Date(Date.now() + 60_000) });
    expect(await claimMany(2)).toEqual([one, undefined]);
    await finish(one);
    expect(await claimMany(2)).toEqual([two, undefined]);
  });

  it('is one whose worker was killed, once its claim has run out', async () => {
    const [id = ''] = await addWaiting(await addUser(), 'routine', 1);
    expect(await claimMany(2)).toEqual([id, undefined]);
    await fixture
      .db('studies')
      .where({ id })
      .update({ claimExpiresAt: new Date(Date.now() - 1000) });
    expect(await claimMany(1)).toEqual([id]);
  });
});

it('puts a large routine study off for a STAT one after one request, and sends nothing of it twice', async () => {
  const pacs = await FaultyPacs.start();
  const routine = await fixture.addUpload(makeStudy(140));
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let began = () => {};
  const firstBegan = new Promise<void>((resolve) => {
    began = resolve;
  });
  pacs.fault = async ({ kind, nth }) => {
    if (kind !== 'stow' || nth > 1) return false;
    began();
    await released;
    return false;
  };
  const deliveries = new DeliveryDispatcher(fixture.deps({ url: pacs.url }), 1);
  try {
    await firstBegan;
    const stat = await fixture.addUpload(makeStudy(3), 'stat');
    release();
    while ((await fixture.upload(routine.uploadId)).status === 'delivering') await sleep(20);
    const first = (study: typeof stat) =>
      study.objects.reduce((least, { sopInstanceUid }) => {
        const at = pacs.arrived.indexOf(sopInstanceUid);
        return at < least ? at : least;
      }, Number.POSITIVE_INFINITY);
    // The request under way carried the image that begins a study; nothing else went before the STAT one.
    expect(first(stat)).toBe(1);
    expect(await fixture.upload(stat.uploadId)).toMatchObject({ status: 'delivered' });
    expect(await fixture.upload(routine.uploadId)).toMatchObject({ status: 'delivered' });
    expect(pacs.arrived.length).toBe(143);
    expect(new Set(pacs.arrived).size).toBe(143);
  } finally {
    release();
    await deliveries.close();
    await pacs.close();
  }
});

it.each([
  ['it is compared with what was sent', false],
  ['what was there before is compared', true],
])(
  'puts a large routine study off for a STAT one while %s, and compares nothing twice',
  async (_, isHeld) => {
    const pacs = await FaultyPacs.start();
    const made = makeStudy(60);
    if (isHeld) {
      for (const { sopInstanceUid, bytes } of made.objects)
        pacs.hold({ sopInstanceUid, bytes: Buffer.from(bytes) });
    }
    const routine = await fixture.addUpload(made);
    const ofRoutine = new Set(routine.objects.map(({ sopInstanceUid }) => sopInstanceUid));
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let began = () => {};
    const comparing = new Promise<void>((resolve) => {
      began = resolve;
    });
    let isComparing = false;
    const events: string[] = [];
    pacs.fault = async ({ kind, request, nth }) => {
      const uid = request.url?.split('/').at(-1) ?? '';
      if (kind === 'retrieve' && ofRoutine.has(uid)) events.push(uid);
      if (kind === 'stow' && isComparing) events.push('stat');
      if (kind !== 'retrieve' || nth > 4) return false;
      isComparing = true;
      began();
      await released;
      return false;
    };
    const deps = fixture.deps({ url: pacs.url, verification: { level: 'bytes', share: 1 } });
    const deliveries = new DeliveryDispatcher(deps, 1);
    try {
      await comparing;
      const stat = await fixture.addUpload(makeStudy(1), 'stat');
      release();
      while ((await fixture.upload(routine.uploadId)).status === 'delivering') await sleep(20);
      // The retrievals under way were let finish, and no further one begun; each lane may have got hold of one more.
      expect(events.indexOf('stat')).toBeGreaterThan(0);
      expect(events.indexOf('stat')).toBeLessThanOrEqual(8);
      expect(events.filter((uid) => uid !== 'stat').length).toBe(60);
      expect(await fixture.upload(stat.uploadId)).toMatchObject({ status: 'delivered' });
      const verified = await fixture.instances(routine.studyId);
      expect(verified.filter(({ verification }) => verification === 'bytes')).toHaveLength(60);
    } finally {
      release();
      await deliveries.close();
      await pacs.close();
    }
  },
);
