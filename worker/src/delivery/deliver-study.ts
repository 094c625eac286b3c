import type { Config } from '@relaypacs/core/config.js';
import { findTarget, type PacsTarget } from '@relaypacs/core/config-targets.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { withLogContext } from '@relaypacs/core/observability/logger.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { ClaimLost, type RowClaim } from '../row-claim.js';
import { type Circuits, reasonOf } from './circuits.js';
import { chooseSample, verifyFound } from './compare-sample.js';
import type { DeliveryMetrics, DeliveryOutcome } from './delivery-metrics.js';
import { type DeliveryRecord, openDelivery } from './delivery-record.js';
import {
  AwaitingIndex,
  type DeliveryRun,
  FIRST_PUT_OFF,
  MakingRoom,
  requestSignal,
  Stopping,
  type UnderWay,
} from './delivery-run.js';
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
/** Archives under load index minutes after they answered: what is sent again too early they get twice. */
const INDEX_PATIENCE_MS = 120_000;

export interface DeliveryDeps extends Pick<Platform, 'db' | 'transact' | 'files' | 'logger'> {
  config: Pick<Config, 'pacs' | 'delivery'>;
  /** One for the process: access tokens outlive a delivery. */
  pacsAccesses: PacsAccesses;
  circuits: Circuits;
  metrics: DeliveryMetrics;
  /** Aborts when the worker is to stop. */
  stopping: AbortSignal;
  /** Asked between two requests: true when this delivery is to be put off for a more urgent one. */
  makesRoom(underWay: UnderWay): Promise<boolean>;
  /** Seconds before each further look for what the PACS said it stored. */
  patienceSeconds?: readonly number[];
  /** For how long what the PACS said it stored is not sent again though it does not show it; milliseconds. */
  indexPatienceMs?: number;
}

/**
 * Brings what is missing of one study into its PACS and asks that for every instance.
 *
 * A study is delivered when the PACS shows all of its instances, and failed when it refuses some for good; a PACS
 * that is away or busy is waited for. Whatever interrupts a run, the next one goes on from what the rows and the
 * PACS say. Ends normally in all of these cases.
 *
 * @param claim - on the study; given back in the end
 * @throws only when not even that could be written (the database is away); the claim runs out then, and the study is
 * taken up again
 */
export async function deliverStudy(deps: DeliveryDeps, claim: RowClaim): Promise<void> {
  await withLogContext({ studyId: claim.id }, async () => {
    const record = await openDelivery(claim, deps.config.delivery.eager).catch((error: unknown) => {
      // Taken back in the moment its turn came.
      if (!(error instanceof ClaimLost)) throw error;
      return undefined;
    });
    if (!record) {
      deps.logger.info('Nothing to deliver now');
      return;
    }
    await withLogContext({ uploadId: record.study.uploadId }, async () => {
      const outcome = await deliver(deps, record);
      deps.metrics.ended(record.study.target, outcome);
    });
  });
}

async function deliver(deps: DeliveryDeps, record: DeliveryRecord): Promise<DeliveryOutcome> {
  const { logger, config, circuits } = deps;
  const target = findTarget(config.pacs, record.study.target);
  try {
    if (!target) throw new PacsUnavailable('not-configured', 'The PACS of the study is not configured here');
    const hasAsked = await withPacs(deps, record, target);
    if (hasAsked) await circuits.worked(target);
    const status = await record.settle();
    if (status === 'goes_on' || status === 'sent_early') {
      logger.info('What is known of the study so far was sent', { instances: record.instances.length });
      return status;
    }
    const failed = record.instances.filter((instance) => instance.status === 'failed');
    const counts = { instances: record.instances.length, failed: failed.length };
    if (status === 'delivered') logger.info('Study delivered', counts);
    else logger.error('Study not delivered', { ...counts, instanceIds: failed.map(({ id }) => id) });
    return status;
  } catch (error) {
    try {
      return await interrupted(deps, record, target, error);
    } catch (failure) {
      if (!(failure instanceof ClaimLost)) throw failure;
      logger.warn('The study is in other hands now');
      return 'interrupted';
    }
  } finally {
    await record.claim.stopRenewing();
  }
}

/** @returns false when there was nothing to ask the PACS */
async function withPacs(deps: DeliveryDeps, record: DeliveryRecord, target: PacsTarget): Promise<boolean> {
  const { circuits, pacsAccesses, files, logger, stopping } = deps;
  const { patienceSeconds = PATIENCE_SECONDS, indexPatienceMs = INDEX_PATIENCE_MS } = deps;
  const pacs = new DicomwebClient(target, pacsAccesses.of(target));
  const reader = new InstanceReader(files);
  const { signal, done } = requestSignal(record.claim.lost, stopping);
  const watch = circuits.underWay.begin(target.key);
  const run: DeliveryRun = {
    record,
    pacs,
    reader,
    logger,
    verification: target.verification,
    stopping,
    signal: AbortSignal.any([signal, watch.signal]),
    patienceSeconds,
    indexPatienceMs,
    makesRoom: () => deps.makesRoom({ serviceLevel: record.serviceLevel, target: target.key }),
    pacsWorked: () => circuits.worked(target),
    progressed: () => watch.progressed(),
  };
  try {
    return await bringIntoPacs(run);
  } finally {
    done();
    watch.done();
    pacs.close();
    await reader.close();
  }
}

async function bringIntoPacs(run: DeliveryRun): Promise<boolean> {
  const { record } = run;
  const undecided = record.instances.filter(({ status }) => status !== 'verified' && status !== 'failed');
  if (undecided.length === 0) return false;
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
    if (missing.length === 0) return true;
    run.logger.warn('The PACS does not show what it stored', { round, missing: missing.length });
    if (round === ROUNDS) {
      await record.outcome(missing, 'failed', NOT_CONFIRMED);
      return true;
    }
    if (round === 1) awaitIndex(run, missing);
    await record.outcome(missing, 'pending');
  }
}

/**
 * Gives the PACS time to show what it said it stored. How much it has had, the rows tell: it survives whatever happens
 * to the worker. What is sent again has had all of it, and is waited for no longer than is usual.
 *
 * @throws AwaitingIndex unless it has had enough since it stored the last of them
 */
function awaitIndex({ indexPatienceMs }: DeliveryRun, missing: readonly InstanceRow[]): void {
  const storedAt = Math.max(...missing.map((instance) => instance.storedAt?.getTime() ?? 0));
  const sinceMs = Date.now() - storedAt;
  if (sinceMs >= indexPatienceMs) return;
  // As long again as it has taken already: the waits double.
  const waitMs = Math.max(sinceMs, indexPatienceMs * FIRST_PUT_OFF);
  throw new AwaitingIndex(Math.min(waitMs, indexPatienceMs - sinceMs) / 1000);
}

async function verify(run: DeliveryRun, stored: readonly InstanceRow[]): Promise<readonly InstanceRow[]> {
  const sample = chooseSample(run, stored);
  return awaitHeld(run, stored, (found, held) => verifyFound(run, found, held, sample));
}

const withStatus = (instances: readonly InstanceRow[], status: InstanceRow['status']) =>
  instances.filter((instance) => instance.status === status);

/** Puts the study off in a way that fits what happened. */
async function interrupted(
  { logger, circuits }: DeliveryDeps,
  record: DeliveryRecord,
  target: PacsTarget | undefined,
  error: unknown,
): Promise<DeliveryOutcome> {
  if (error instanceof ClaimLost) throw error;
  if (error instanceof Stopping) {
    await record.handBack();
    logger.info('Delivery handed back: the worker stops');
    return 'handed_back';
  }
  if (error instanceof MakingRoom) {
    await record.handBack();
    logger.info('Delivery put off for a more urgent study');
    return 'preempted';
  }
  if (error instanceof AwaitingIndex) {
    // It took and answers everything: whoever waits for it may go on.
    if (target) await circuits.worked(target);
    await record.awaitIndex(error.seconds);
    logger.info('Delivery put off until the PACS shows what it stored', { seconds: error.seconds });
    return 'awaiting_index';
  }
  if (error instanceof PacsUnavailable) {
    const problem = waitingProblem(error.kind) ?? null;
    // First the PACS, so that nobody takes the study up before a probe has found it working.
    if (target) await circuits.trip(target, error);
    const leastSeconds = Math.max(error.settleSeconds, error.retryAfterSeconds ?? 0);
    // Where the PACS broke down over this study, others have their turn before it is tried again.
    const seconds = await record.awaitPacs(problem, error.brokeDown, leastSeconds);
    const reason = target ? reasonOf(target, error) : error.message;
    const wait = { target: record.study.target, kind: error.kind, reason, seconds };
    if (problem) logger.error('Delivery waits for somebody to put the PACS right', wait);
    else logger.warn('Delivery waits for the PACS', wait);
    return 'waiting';
  }
  logger.error('Delivery was interrupted', { error });
  await record.postpone(OWN_FAULT);
  return 'interrupted';
}
