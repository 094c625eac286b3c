import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { inParallel } from '../in-parallel.js';
import { planBatches } from './batches.js';
import { AwaitingIndex, type DeliveryRun, FIRST_PUT_OFF, turnstile } from './delivery-run.js';
import type { StowReply } from './dicomweb-client.js';
import { verdictOn } from './lone-breaks.js';
import { StoredBytesDamaged } from './multipart.js';
import { DAMAGED, httpRefusal, NO_WORD, NOT_CONFIRMED, refusal, warning } from './pacs-problems.js';
import { PacsUnavailable, unavailableKind } from './pacs-unavailable.js';
import { awaitHeld, findHeld, settleHeld } from './presence.js';
import { readStowAnswer, type StowOutcome } from './stow-answer.js';

const REQUESTS_AT_ONCE = 4;
/** So often a study is put off for instances that the PACS says it has and does not show. */
const HIDDEN_WAITS = 3;

/**
 * Sends instances by STOW-RS and records what became of each. Afterwards each of them is stored or failed.
 *
 * @param firstAlone - the PACS does not know the study yet: its first request creates it, and only then others
 * follow side by side, so that archives do not create it twice
 * @throws PacsUnavailable when the rest has to wait for the PACS
 */
export async function sendInstances(
  run: DeliveryRun,
  instances: readonly InstanceRow[],
  firstAlone: boolean,
): Promise<void> {
  const batches = planBatches(inReadingOrder(instances));
  if (firstAlone) await createStudy(run, batches);
  await inParallel(batches, REQUESTS_AT_ONCE, (batch) => sendBatch(run, batch));
}

/**
 * Sends the first instance alone, which is enough to create the study, and does not make the others wait for twenty;
 * the rest of its batch too when the PACS did not take it. What is sent is taken out of `batches`.
 */
async function createStudy(run: DeliveryRun, batches: InstanceRow[][]): Promise<void> {
  const [first] = batches;
  const opening = first?.[0];
  if (!first || !opening) return;
  if (batches.length > 1) await sendBatch(run, first.splice(0, 1));
  if (opening.status === 'stored' || opening.status === 'warning') return;
  batches.shift();
  await sendBatch(run, first);
}

/** What is packed twice can only be read forward: its instances go in the order of their bytes, others as they are. */
function inReadingOrder(instances: readonly InstanceRow[]): readonly InstanceRow[] {
  if (!instances.some(({ steps }) => (steps?.length ?? 0) > 1)) return instances;
  const way = ({ uploadFileId, steps }: InstanceRow) => [
    uploadFileId,
    ...(steps ?? []).map(({ offset }) => offset),
  ];
  return [...instances].sort((a, b) => {
    const [ours, theirs] = [way(a), way(b)];
    const differs = ours.findIndex((part, i) => part !== theirs[i]);
    const [x, y] = [ours[differs], theirs[differs]];
    if (differs < 0 || x === undefined) return 0;
    return y !== undefined && x < y ? -1 : 1;
  });
}

/** One request, and whatever further ones it takes until the fate of each of its instances is known. */
async function sendBatch(run: DeliveryRun, batch: readonly InstanceRow[], repeated = false): Promise<void> {
  if (batch.length === 0) return;
  await turnstile(run);
  await run.record.sending(batch);
  let reply: StowReply;
  try {
    reply = await run.pacs.stow(run.reader.parts(batch), run.signal, run.progressed);
  } catch (error) {
    if (error instanceof StoredBytesDamaged) return withoutDamaged(run, batch, error.sopInstanceUid);
    if (!(error instanceof PacsUnavailable)) throw error;
    if (error.worthRepeating && !repeated) return sendBatch(run, await notHeld(run, batch), true);
    return brokenOff(run, batch, error);
  }
  await settleReply(run, batch, reply);
  await run.pacsWorked();
}

/** The request was broken off at the damaged instance; what of the others arrived, the PACS knows. */
async function withoutDamaged(run: DeliveryRun, batch: readonly InstanceRow[], uid: string): Promise<void> {
  const damaged = batch.filter(({ sopInstanceUid }) => sopInstanceUid === uid);
  for (const { id } of damaged) run.logger.error('Stored bytes are damaged', { instanceId: id });
  await run.record.outcome(damaged, 'failed', DAMAGED);
  const others = batch.filter((instance) => !damaged.includes(instance));
  await sendBatch(run, await notHeld(run, others));
}

/** Waits for the PACS, unless it is this one instance that breaks it time after time. */
async function brokenOff(
  run: DeliveryRun,
  batch: readonly InstanceRow[],
  error: PacsUnavailable,
): Promise<void> {
  const [only] = batch;
  if (!only || !error.brokeDown) throw error;
  if (batch.length > 1) {
    await run.record.broke(batch);
    throw error;
  }
  const breaks = await run.record.brokeAlone(only, error.droppedConnection);
  const verdict = verdictOn(breaks);
  if (!verdict) throw error;
  // It may have stored it this time, and only its answer been lost. One that does not answer now did before this request.
  const missing = await notHeld(run, batch).catch((failure: unknown) => {
    if (failure instanceof PacsUnavailable) return batch;
    throw failure;
  });
  if (missing.length === 0) return;
  run.logger.error('An instance is given up: the PACS breaks off each time', {
    instanceId: only.id,
    ...breaks,
    error,
  });
  await run.record.outcome(batch, 'failed', verdict);
}

async function settleReply(run: DeliveryRun, batch: readonly InstanceRow[], reply: StowReply): Promise<void> {
  const uids = batch.map(({ sopInstanceUid }) => sopInstanceUid);
  const { outcomes, unattributed } = readStowAnswer(reply.body, uids);
  const having = <K extends StowOutcome['kind']>(kind: K) =>
    batch.flatMap((instance) => {
      const outcome = outcomes.get(instance.sopInstanceUid);
      return outcome?.kind === kind
        ? [{ instance, outcome: outcome as Extract<StowOutcome, { kind: K }> }]
        : [];
    });
  const instancesHaving = (kind: StowOutcome['kind']) => having(kind).map(({ instance }) => instance);

  await run.record.outcome(instancesHaving('stored'), 'stored');
  for (const { instance, outcome } of having('warning')) {
    await run.record.outcome([instance], 'warning', warning(outcome.reason));
  }
  for (const { instance, outcome } of having('refused')) {
    run.logger.warn('The PACS refused an instance', { instanceId: instance.id, reason: outcome.reason });
    await run.record.outcome([instance], 'failed', refusal(outcome.reason));
  }
  await settleDuplicates(run, having('held'));

  const later = instancesHaving('later');
  const kind = unavailableKind(reply.status) ?? (later.length > 0 ? 'busy' : undefined);
  const unknown = instancesHaving('unknown');
  if (kind && (unknown.length > 0 || later.length > 0)) {
    const { status, retryAfterSeconds } = reply;
    const error = new PacsUnavailable(kind, `STOW-RS was answered with ${status}`, {
      status,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
    return brokenOff(run, batch, error);
  }
  await settleUnknown(run, batch, unknown, reply.status, unattributed);
}

/**
 * The PACS says it has these: their contents decide, as soon as it shows them.
 *
 * @throws AwaitingIndex when it does not yet
 */
async function settleDuplicates(
  run: DeliveryRun,
  duplicates: ReadonlyArray<{ instance: InstanceRow; outcome: { reason: number | undefined } }>,
): Promise<void> {
  const instances = duplicates.map(({ instance }) => instance);
  // They were asked for before they were sent, and not found: searches lag behind, or somebody else just stored them.
  const hidden = await awaitHeld(run, instances, (shown, held) => settleHeld(run, shown, held));
  if (hidden.length === 0) return;
  const reasons = duplicates.map(({ outcome }) => outcome.reason);
  run.logger.warn('The PACS does not show what it says it has', { instances: hidden.length, reasons });
  const sends = Math.min(...hidden.map((instance) => instance.sends));
  // The waits double: together they are about as long as what it says it stored is waited for.
  if (sends <= HIDDEN_WAITS) {
    throw new AwaitingIndex((run.indexPatienceMs * FIRST_PUT_OFF * 2 ** (sends - 1)) / 1000);
  }
  await run.record.outcome(hidden, 'failed', NOT_CONFIRMED);
}

/**
 * Instances the answer does not name: the PACS is asked; what it does not hold is sent in smaller requests until
 * what is meant stands alone.
 */
async function settleUnknown(
  run: DeliveryRun,
  batch: readonly InstanceRow[],
  unknown: readonly InstanceRow[],
  status: number,
  unattributed: ReadonlyArray<number | undefined>,
): Promise<void> {
  const refused = status >= 400 || unattributed.length > 0;
  // Said to be well: it may only be slow to show. Said to be wrong: one look is enough.
  const missing = refused
    ? await notHeld(run, unknown)
    : await awaitHeld(run, unknown, (found) => run.record.outcome(found, 'stored'));
  if (missing.length === 0) return;
  if (batch.length === 1) {
    run.logger.warn('The PACS did not store an instance', { instanceId: batch[0]?.id, status, unattributed });
    await run.record.outcome(missing, 'failed', lonelyProblem(status, unattributed));
    return;
  }
  if (!refused) {
    for (const instance of missing) await sendBatch(run, [instance]);
    return;
  }
  const middle = Math.ceil(missing.length / 2);
  await sendBatch(run, missing.slice(0, middle));
  await sendBatch(run, missing.slice(middle));
}

function lonelyProblem(status: number, unattributed: ReadonlyArray<number | undefined>): UploadProblem {
  if (unattributed.length > 0) return refusal(unattributed[0]);
  return status >= 400 ? httpRefusal(status) : NO_WORD;
}

/** Of instances that were sent with an unknown outcome, those the PACS does not hold; the others are settled. */
async function notHeld(run: DeliveryRun, instances: readonly InstanceRow[]): Promise<readonly InstanceRow[]> {
  if (instances.length === 0) return [];
  await settleHeld(run, instances, await findHeld(run, instances));
  return instances.filter(({ status }) => status === 'pending');
}
