import type { Config } from '@relaypacs/core/config.js';
import { findTarget } from '@relaypacs/core/config-targets.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { type Logger, withLogContext } from '@relaypacs/core/observability/logger.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { ClaimLost } from '../row-claim.js';
import { beginDelivery, type DeliveryRecord } from './delivery-record.js';
import { type DeliveryRun, requestSignal, Stopping } from './delivery-run.js';
import { DicomwebClient } from './dicomweb-client.js';
import { InstanceReader } from './instance-reader.js';
import type { PacsAccesses } from './pacs-access.js';
import { NOT_CONFIRMED, OWN_FAULT, waitingProblem } from './pacs-problems.js';
import { PacsUnavailable } from './pacs-unavailable.js';
import { awaitHeld, findHeld, settleHeld } from './presence.js';
import { sendInstances } from './send-instances.js';

/** How often what the PACS said it stored and does not show is sent. */
const ROUNDS = 3;
const PATIENCE_SECONDS = [0.3, 1, 2, 4];

export interface DeliveryDeps extends Pick<Platform, 'db' | 'transact' | 'files' | 'logger'> {
  config: Pick<Config, 'pacs'>;
  /** One for the process: access tokens outlive a delivery. */
  pacsAccesses: PacsAccesses;
  /** Aborts when the worker is to stop. */
  stopping: AbortSignal;
  /** Seconds before each further look for what the PACS said it stored. */
  patienceSeconds?: readonly number[];
}

/**
 * The delivery job: brings what is missing of one study into the PACS and asks it for every instance.
 *
 * A study is delivered when the PACS shows all of its instances, and failed when it refuses some for good; a PACS
 * that is away or busy is waited for. Whatever interrupts a run, the next one goes on from what the rows and the
 * PACS say. Ends normally in all of these cases, with the next job written down where there is one.
 *
 * @throws only when not even that could be written (the database is away); the sweep takes it up then
 */
export async function deliverStudy(deps: DeliveryDeps, studyId: string): Promise<void> {
  await withLogContext({ studyId }, async () => {
    const record = await beginDelivery(deps.db, deps.transact, studyId);
    if (!record) {
      deps.logger.info('Nothing to deliver now');
      return;
    }
    await withLogContext({ uploadId: record.study.uploadId }, () => deliver(deps, record));
  });
}

async function deliver(deps: DeliveryDeps, record: DeliveryRecord): Promise<void> {
  const { logger } = deps;
  try {
    await withPacs(deps, record);
    const status = await record.settle();
    const failed = record.instances.filter((instance) => instance.status === 'failed');
    const counts = { instances: record.instances.length, failed: failed.length };
    if (status === 'delivered') logger.info('Study delivered', counts);
    else logger.error('Study not delivered', { ...counts, instanceIds: failed.map(({ id }) => id) });
  } catch (error) {
    await interrupted(record, logger, error).catch((failure: unknown) => {
      if (!(failure instanceof ClaimLost)) throw failure;
      logger.warn('The study is in other hands now');
    });
  } finally {
    await record.claim.stopRenewing();
  }
}

async function withPacs(deps: DeliveryDeps, record: DeliveryRecord): Promise<void> {
  const { config, pacsAccesses, files, logger, stopping, patienceSeconds = PATIENCE_SECONDS } = deps;
  const { target: key } = record.study;
  const target = findTarget(config.pacs, key);
  if (!target) throw new PacsUnavailable('not-configured', `No PACS is configured as ${key}`);
  const pacs = new DicomwebClient(target, pacsAccesses.of(target));
  const reader = new InstanceReader(files);
  const { signal, done } = requestSignal(record.claim.lost, stopping);
  try {
    await bringIntoPacs({ record, pacs, reader, logger, stopping, signal, patienceSeconds });
  } finally {
    done();
    pacs.close();
    await reader.close();
  }
}

async function bringIntoPacs(run: DeliveryRun): Promise<void> {
  const { record } = run;
  const undecided = record.instances.filter(({ status }) => status !== 'verified' && status !== 'failed');
  if (undecided.length === 0) return;
  run.logger.info('Delivering', { instances: record.instances.length, undecided: undecided.length });
  const held = await findHeld(run, undecided);
  await record.pacsAnswered();
  await settleHeld(run, undecided, held);
  for (let round = 1; ; round += 1) {
    await sendInstances(run, withStatus(undecided, 'pending'), held.size === 0 && round === 1);
    const missing = await verify(run, [
      ...withStatus(undecided, 'stored'),
      ...withStatus(undecided, 'warning'),
    ]);
    if (missing.length === 0) return;
    run.logger.warn('The PACS does not show what it stored', { round, missing: missing.length });
    if (round === ROUNDS) {
      await record.outcome(missing, 'failed', NOT_CONFIRMED);
      return;
    }
    await record.outcome(missing, 'pending');
  }
}

async function verify(run: DeliveryRun, stored: readonly InstanceRow[]): Promise<readonly InstanceRow[]> {
  return awaitHeld(run, stored, (found) => run.record.outcome(found, 'verified'));
}

const withStatus = (instances: readonly InstanceRow[], status: InstanceRow['status']) =>
  instances.filter((instance) => instance.status === status);

/** Puts the study off in a way that fits what happened. */
async function interrupted(record: DeliveryRecord, logger: Logger, error: unknown): Promise<void> {
  if (error instanceof ClaimLost) throw error;
  if (error instanceof Stopping) {
    await record.handBack();
    logger.info('Delivery handed back: the worker stops');
    return;
  }
  if (error instanceof PacsUnavailable) {
    const problem = waitingProblem(error.kind) ?? null;
    const seconds = await record.postpone({
      waitingFor: 'pacs',
      problem,
      leastSeconds: error.retryAfterSeconds,
    });
    const wait = { kind: error.kind, reason: error.message, seconds };
    if (problem) logger.error('Delivery waits for somebody to put the PACS right', wait);
    else logger.warn('Delivery waits for the PACS', wait);
    return;
  }
  logger.error('Delivery was interrupted', { error });
  await record.postpone({ waitingFor: null, problem: OWN_FAULT });
}
