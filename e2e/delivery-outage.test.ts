import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import { listCircuits } from '@relaypacs/core/db/pacs-circuits.js';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { presentUpload } from '../server/src/uploads/present-upload.js';
import { DeliveryDispatcher } from '../worker/src/delivery/dispatcher.js';
import { DeliveryFixture, makeStudy, type TestStudy } from './support/delivery-fixture.js';
import { type Exchange, FaultyPacs, stowAnswer } from './support/faulty-pacs.js';
import type { ReceivedPart } from './support/stow-recorder.js';

let fixture: DeliveryFixture;
let pacs: FaultyPacs;

beforeAll(async () => {
  fixture = await DeliveryFixture.start('outage');
});
beforeEach(async () => {
  await fixture.db('studies').delete();
  await fixture.db('pacsCircuits').delete();
  pacs = await FaultyPacs.start();
  return () => pacs.close();
});
afterAll(async () => {
  await fixture?.close();
});

const isProbe = ({ request }: Exchange) => request.url?.includes('StudyInstanceUID=') ?? false;
const circuit = async () => (await listCircuits(fixture.db, [DEFAULT_TARGET]))[0];

async function until(what: string, holds: () => Promise<boolean>, limitMs = 40_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It did not come about: ${what}`);
    await sleep(50);
  }
}

/** A worker with its dispatcher and its upkeep of circuits. */
function startWorker(slots = 2, targets = [fixture.target({ url: pacs.url })]) {
  const deps = fixture.depsFor(targets);
  const deliveries = new DeliveryDispatcher(deps, slots);
  let tending: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    tending = deps.circuits.tend().catch(() => {});
  }, 200);
  return {
    async stop() {
      clearInterval(timer);
      await tending;
      await deliveries.close();
    },
  };
}

const isDelivered = async ({ uploadId }: TestStudy) =>
  (await fixture.upload(uploadId)).status === 'delivered';

it('tries a PACS that is away with no study, says of each that it waits, and delivers all when it is back', async () => {
  let answers = false;
  const requests = { probes: 0, others: 0 };
  pacs.fault = (exchange) => {
    if (answers) return false;
    requests[isProbe(exchange) ? 'probes' : 'others'] += 1;
    exchange.response.writeHead(503).end();
    return true;
  };
  const studies = await Promise.all(Array.from({ length: 12 }, () => fixture.addUpload(makeStudy(1))));
  const worker = startWorker();
  try {
    await until('each study waits', async () => {
      const rows = await Promise.all(studies.map(({ studyId }) => fixture.study(studyId)));
      return rows.every(({ waitingFor, claimedBy }) => waitingFor === 'pacs' && claimedBy === null);
    });
    const late = await fixture.addUpload(makeStudy(1));
    await until('a study that came later waits too', async () => {
      return (await fixture.study(late.studyId)).waitingFor === 'pacs';
    });
    const { others } = requests;
    await until('it was probed several times', async () => requests.probes >= 3);
    // The two that were under way when it went away, and nothing since.
    expect(others).toBeLessThanOrEqual(2);
    expect(requests.others).toBe(others);
    const attempts = await Promise.all(
      studies.map(async ({ studyId }) => (await fixture.study(studyId)).attempts),
    );
    expect(attempts.filter((count) => count > 0).length).toBeLessThanOrEqual(2);
    expect(await circuit()).toMatchObject({
      state: 'open',
      kind: 'busy',
      reason: expect.stringMatching(/503/),
    });

    answers = true;
    const backAt = Date.now();
    await until('the first is delivered', async () =>
      (await Promise.all(studies.map(isDelivered))).includes(true),
    );
    expect(Date.now() - backAt).toBeLessThan(30_000);
    await until('all are delivered', async () =>
      (await Promise.all([...studies, late].map(isDelivered))).every(Boolean),
    );
    expect(await circuit()).toMatchObject({ state: 'closed', failures: 0, openedAt: null });
  } finally {
    await worker.stop();
  }
});

it('tries a PACS that answers again with one study at a time until it stores', async () => {
  let stores = false;
  let atOnce = 0;
  let most = 0;
  pacs.fault = async ({ kind, response }) => {
    if (kind !== 'stow' || stores) return false;
    atOnce += 1;
    most = Math.max(most, atOnce);
    await sleep(150);
    atOnce -= 1;
    response.writeHead(503).end();
    return true;
  };
  const [first, ...rest] = [
    await fixture.addUpload(makeStudy(1)),
    await fixture.addUpload(makeStudy(1)),
    await fixture.addUpload(makeStudy(1)),
  ];
  const worker = startWorker(3);
  try {
    await until('it is known to be away', async () => (await circuit())?.state === 'open');
    most = 0;
    await until('it was tried again and failed again', async () => {
      const row = await circuit();
      return row?.state === 'open' && row.failures >= 3 && most > 0;
    });
    expect(most).toBe(1);
    stores = true;
    await until('all are delivered', async () =>
      (await Promise.all([first!, ...rest].map(isDelivered))).every(Boolean),
    );
  } finally {
    await worker.stop();
  }
});

it('says what somebody has to do while the PACS does not let it in', async () => {
  let lets = false;
  pacs.fault = ({ response }) => {
    if (lets) return false;
    response.writeHead(401).end();
    return true;
  };
  const study = await fixture.addUpload(makeStudy(1));
  const worker = startWorker();
  try {
    await until('it waits for somebody', async () => {
      const { problem, waitingFor } = await fixture.study(study.studyId);
      return waitingFor === 'pacs' && problem?.code === 'PACS_ACCESS_DENIED';
    });
    lets = true;
    await until('it is delivered', () => isDelivered(study));
    expect(await fixture.study(study.studyId)).toMatchObject({ problem: null, waitingFor: null });
  } finally {
    await worker.stop();
  }
});

it('ends deliveries that hang on a PACS which answers no probe, so that others get their slots', async () => {
  const other = await FaultyPacs.start();
  // As a machine that has lost its power: it takes what is sent and says nothing.
  pacs.fault = () => true;
  const hanging = [await fixture.addUpload(makeStudy(2)), await fixture.addUpload(makeStudy(2))];
  const worker = startWorker(2, [
    fixture.target({ url: pacs.url, timeoutMs: 300_000 }),
    fixture.target({ key: 'other', url: other.url }),
  ]);
  try {
    await until('both slots are taken', async () => {
      const rows = await Promise.all(hanging.map(({ studyId }) => fixture.study(studyId)));
      return rows.every(({ claimedBy }) => claimedBy !== null);
    });
    const stat = await fixture.addUpload(makeStudy(1), 'stat');
    await fixture.db('studies').where({ id: stat.studyId }).update({ target: 'other' });
    await until('the other PACS has its study', () => isDelivered(stat));
    for (const { studyId } of hanging) {
      expect(await fixture.study(studyId)).toMatchObject({ waitingFor: 'pacs', claimedBy: null });
    }
  } finally {
    await worker.stop();
    await other.close();
  }
});

it('lets a delivery go on whose bytes are taken, though the PACS answers no probe meanwhile', async () => {
  // As a small archive, or a thin line, that is busy with one large image: 24 MB in some 40 seconds.
  let isTaking = false;
  const cut: string[] = [];
  pacs.fault = async (exchange) => {
    if (isTaking && isProbe(exchange)) return true;
    if (exchange.kind !== 'stow') return false;
    isTaking = true;
    exchange.request.once('close', () => {
      if (!exchange.request.complete) cut.push('The request was cut off');
    });
    for await (const chunk of exchange.request) await sleep((chunk.length / 600_000) * 1000);
    isTaking = false;
    const [uid] = image.objects.map(({ sopInstanceUid }) => sopInstanceUid);
    pacs.hold({ sopInstanceUid: uid!, bytes: Buffer.from(image.objects[0]!.bytes) } as ReceivedPart);
    exchange.response.end(stowAnswer([{ '00081155': { vr: 'UI', Value: [uid] } }], []));
    return true;
  };
  const image = await fixture.addUpload(makeStudy(1, { rows: 4000, columns: 3000 }));
  const worker = startWorker(1);
  try {
    await until('it is known to answer no probe', async () => (await circuit())?.state === 'open');
    await until('it is delivered', () => isDelivered(image), 80_000);
    expect(cut).toEqual([]);
    expect((await fixture.instances(image.studyId))[0]?.sends).toBe(1);
  } finally {
    await worker.stop();
  }
}, 120_000);

/** What the history of an upload tells of its PACS. */
async function told({ uploadId }: Pick<TestStudy, 'uploadId'>) {
  const detail = await presentUpload(
    fixture.db,
    { all: [], rules: [], choices: [] },
    await fixture.upload(uploadId),
    { seesSenders: false },
  );
  return detail.timeline
    .filter(({ event }) => /pacs/.test(event))
    .map(({ event, targetName }) => `${event} ${targetName}`);
}

/** As if all that waits had waited a minute longer. */
const waitLonger = () =>
  fixture.db('studies').update({ waitingSince: fixture.db.raw(`waiting_since - interval '1 minute'`) });

/** Puts a study into the upload of another one. */
async function join(study: TestStudy, { uploadId }: TestStudy): Promise<void> {
  await fixture.db('studies').where({ id: study.studyId }).update({ uploadId });
}

it('tells in the history of an upload once that its PACS is away, and once that it goes on; and logs both', async () => {
  let mood: 'away' | 'stores nothing' | 'well' = 'away';
  let tried = 0;
  pacs.fault = ({ kind, response }) => {
    if (mood === 'well' || (mood === 'stores nothing' && kind !== 'stow')) return false;
    if (kind === 'stow') tried += 1;
    response.writeHead(503).end();
    return true;
  };
  const study = await fixture.addUpload(makeStudy(2));
  const second = await fixture.addUpload(makeStudy(1));
  await join(second, study);
  fixture.log.length = 0;
  const worker = startWorker();
  try {
    await until('each study waits', async () =>
      (await Promise.all([study, second].map(({ studyId }) => fixture.study(studyId)))).every(
        ({ waitingFor }) => waitingFor === 'pacs',
      ),
    );
    expect(await told(study)).toEqual([]);
    await waitLonger();
    await until('the history tells it', async () => (await told(study)).length > 0);

    // It answers, and is tried several times, and takes nothing: that is the same outage.
    mood = 'stores nothing';
    await until('it was tried several times', async () => tried >= 3);
    await waitLonger();
    expect(await told(study)).toEqual(['waiting_for_pacs default']);

    mood = 'well';
    await until('all are delivered', () => isDelivered(study));
    expect(await told(study)).toEqual(['waiting_for_pacs default', 'pacs_back default']);
    const lines = fixture.log.filter(({ message }) => /takes (no )?studies/.test(message));
    expect(lines).toMatchObject([
      { level: 'warn', message: expect.stringMatching(/^PACS takes no studies now/) },
      { level: 'info', message: 'PACS takes studies again', target: DEFAULT_TARGET },
    ]);
    expect(lines[1]?.awaySeconds).toBeGreaterThan(1);
  } finally {
    await worker.stop();
  }
});

it('does not tell in the history what passes within seconds', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  const deps = fixture.deps({ url: pacs.url });
  pacs.fault = ({ response }) => {
    response.writeHead(503).end();
    return true;
  };
  await fixture.deliver(deps, study.studyId);
  await deps.circuits.tend();
  expect(await fixture.study(study.studyId)).toMatchObject({
    waitingFor: 'pacs',
    waitingSince: expect.any(Date),
  });
  pacs.fault = () => false;
  await fixture.deliver(deps, study.studyId);
  expect(await fixture.study(study.studyId)).toMatchObject({ status: 'delivered', waitingSince: null });
  expect(await told(study)).toEqual([]);
});

it('logs that an idle PACS is back', async () => {
  pacs.fault = ({ response }) => {
    response.writeHead(503).end();
    return true;
  };
  fixture.log.length = 0;
  const deps = fixture.deps({ url: pacs.url });
  const probe = async () => {
    await fixture.db('pacsCircuits').update({ nextProbeAt: new Date(0) });
    await deps.circuits.tend();
  };
  for (let times = 0; times < 4; times += 1) await probe();
  pacs.fault = () => false;
  for (let times = 0; times < 4; times += 1) await probe();
  expect(fixture.log.filter(({ level }) => level !== 'debug').map(({ message }) => message)).toEqual([
    expect.stringMatching(/^PACS takes no studies now/),
    'PACS takes studies again',
  ]);
});
