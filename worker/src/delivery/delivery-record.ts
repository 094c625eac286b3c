import type {
  InstanceStatus,
  ServiceLevel,
  UploadProblem,
  VerificationLevel,
} from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { releaseClaim } from '@relaypacs/core/db/claims.js';
import {
  type InstanceRow,
  type LoneBreaks,
  listInstances,
  recordAlreadyThere,
  recordBrokenRequest,
  recordInstanceStatus,
  recordLoneBreak,
  recordSends,
  reopenFailedInstances,
} from '@relaypacs/core/db/instances.js';
import { endWaits } from '@relaypacs/core/db/pacs-waits.js';
import {
  countInstances,
  findStudy,
  listFirstDeliveries,
  NO_INSTANCES,
  type StudyRow,
  updateStudy,
} from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  announceUpload,
  changeUploadStatus,
  findUpload,
  lockUpload,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { backoffSeconds } from '@relaypacs/core/domain/backoff.js';
import type { Eagerness } from '@relaypacs/core/domain/early-delivery.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import type { RowClaim } from '../row-claim.js';
import { mayRun, problemOfStudy, recordResendEnded } from './study-outcome.js';
import { uploadProblem } from './study-problems.js';
import { leaveUnsettled, type Unsettled } from './unsettled-study.js';

const PROGRESS_EVERY_MS = 1000;

/** The database's side of one delivery run: every write of it, each guarded by the claim. */
export class DeliveryRecord {
  readonly claim: RowClaim;
  readonly study: StudyRow;
  /** In series and instance order; kept up to date with what is recorded. */
  readonly instances: readonly InstanceRow[];
  private readonly upload: UploadRow;
  private announcedAt = 0;

  constructor(claim: RowClaim, study: StudyRow, upload: UploadRow, instances: readonly InstanceRow[]) {
    this.claim = claim;
    this.study = study;
    this.upload = upload;
    this.instances = instances;
  }

  get serviceLevel(): ServiceLevel {
    return this.upload.serviceLevel;
  }

  /** The PACS answers: whatever the study waited for is over. */
  async pacsAnswered(): Promise<void> {
    if (this.study.waitingFor === null && this.study.problem === null) return;
    await this.claim.write(async (unit) => {
      await updateStudy(unit.trx, this.study.id, { waitingFor: null, problem: null });
      announceUpload(unit, this.upload);
    });
  }

  /** Counts a send, before its first byte leaves. */
  async sending(instances: readonly InstanceRow[]): Promise<void> {
    await this.claim.writeOnce((db) => recordSends(db, this.claim, ids(instances)));
    for (const instance of instances) instance.sends += 1;
  }

  /** The PACS broke off on a request with these instances. */
  async broke(instances: readonly InstanceRow[]): Promise<void> {
    await this.claim.writeOnce((db) => recordBrokenRequest(db, this.claim, ids(instances)));
  }

  /**
   * The PACS broke off on a request with only this instance.
   *
   * @param wasDropped - it ended the connection
   */
  async brokeAlone({ id }: InstanceRow, wasDropped: boolean): Promise<LoneBreaks> {
    return this.claim.write((unit) => recordLoneBreak(unit.trx, id, wasDropped));
  }

  /** The PACS held these with the same bytes before anything of them was sent. */
  async alreadyThere(instances: readonly InstanceRow[]): Promise<void> {
    await this.claim.writeOnce((db) => recordAlreadyThere(db, this.claim, ids(instances)));
    for (const instance of instances) instance.alreadyThere = true;
  }

  /**
   * What became of instances. Verified ones keep the remark they have, unless they get another.
   *
   * @param verification - of verified ones: how
   */
  async outcome(
    instances: readonly InstanceRow[],
    status: InstanceStatus,
    problem: UploadProblem | null = null,
    verification: VerificationLevel | null = null,
  ): Promise<void> {
    if (instances.length === 0) return;
    await this.claim.writeOnce((db) =>
      recordInstanceStatus(db, this.claim, ids(instances), status, problem, verification),
    );
    if (performance.now() - this.announcedAt > PROGRESS_EVERY_MS) {
      this.announcedAt = performance.now();
      await this.claim.write(async (unit) => announceUpload(unit, this.upload));
    }
    for (const instance of instances) {
      instance.status = status;
      instance.verification = verification;
      if (status === 'stored' || status === 'warning') instance.storedAt = new Date();
      if (status !== 'verified' || problem !== null) instance.problem = problem;
    }
    if (status !== 'failed' && status !== 'pending') await this.gotThrough();
  }

  /** Something of the study is in the PACS now: if it waited, that is over. */
  private async gotThrough(): Promise<void> {
    if (this.study.waitingSince === null) return;
    this.study.waitingSince = null;
    await this.claim.write((unit) => endWaits(unit, [this.study.id]));
  }

  /**
   * Gives the study back until something of ours works again.
   *
   * @returns seconds of the wait
   */
  async postpone(problem: UploadProblem): Promise<number> {
    const seconds = backoffSeconds(this.study.attempts);
    await this.giveBack({ waitingFor: null, problem }, seconds);
    return seconds;
  }

  /**
   * Gives the study back until its PACS takes studies again.
   *
   * @param problem - what somebody has to do about it
   * @param isSuspect - the PACS may have broken down over this study
   * @param leastSeconds - for which it may still be busy with it
   * @returns seconds after which it may be tried again at the earliest
   */
  async awaitPacs(problem: UploadProblem | null, isSuspect: boolean, leastSeconds: number): Promise<number> {
    const seconds = Math.max(isSuspect ? backoffSeconds(this.study.attempts) : 0, leastSeconds);
    const waitingSince = this.study.waitingSince ?? new Date();
    await this.giveBack({ waitingFor: 'pacs', waitingSince, problem }, seconds);
    return seconds;
  }

  /** Gives the study back for `seconds`, after which the PACS may show what it stored. */
  async awaitIndex(seconds: number): Promise<void> {
    await this.giveBack({}, seconds);
  }

  /** Gives the study back for another worker to go on with at once. */
  async handBack(): Promise<void> {
    await this.giveBack({}, 0);
  }

  private async giveBack(
    change: Partial<Pick<StudyRow, 'waitingFor' | 'waitingSince' | 'problem'>>,
    seconds: number,
  ): Promise<void> {
    await this.claim.stopRenewing();
    await this.claim.write(async (unit) => {
      await updateStudy(unit.trx, this.study.id, change);
      await release(unit, this.study, this.upload, this.claim.holder, seconds);
      announceUpload(unit, this.upload);
    });
  }

  /**
   * Ends the study, and its upload when this was the last study of it: delivered only if the database has every
   * instance as verified. Gives it back where it is not at its end.
   */
  async settle(): Promise<'delivered' | 'failed' | Unsettled> {
    await this.claim.stopRenewing();
    const holdUpload = (unit: UnitOfWork) => lockUpload(unit.trx, this.upload.id);
    return this.claim.write(async (unit) => {
      const { id } = this.study;
      const upload = await holdUpload(unit);
      if (!upload) throw new Error('The upload is gone');
      const counts = (await countInstances(unit.trx, [id])).get(id) ?? NO_INSTANCES;
      const unsettled = await leaveUnsettled(unit, id, counts, this.instances.length);
      if (unsettled) {
        if (unsettled === 'goes_on') await release(unit, this.study, upload, this.claim.holder, 0);
        else await releaseClaim(unit.trx, 'studies', id, this.claim.holder);
        announceUpload(unit, upload);
        return unsettled;
      }
      const status = counts.total > 0 && counts.verified === counts.total ? 'delivered' : 'failed';
      const missing = this.instances.filter((instance) => instance.status !== 'verified');
      const problem = status === 'failed' ? problemOfStudy(upload, this.study, missing, counts.total) : null;
      await updateStudy(unit.trx, id, {
        status,
        problem,
        waitingFor: null,
        waitingSince: null,
        waitTold: false,
        nextAttemptAt: null,
        deliveredAt: status === 'delivered' ? new Date() : null,
      });
      await releaseClaim(unit.trx, 'studies', id, this.claim.holder);
      unit.audit({
        actor: SYSTEM_ACTOR,
        action: `study.${status}`,
        objectType: 'study',
        objectId: id,
        detail: { ...counts, attempts: this.study.attempts },
      });
      recordResendEnded(unit, this.study, status);
      await settleUpload(unit, upload);
      return status;
    }, holdUpload);
  }
}

/**
 * Notes that the delivery of a claimed study is under way.
 *
 * @param eager - whether this process delivers early
 * @returns undefined when there is nothing to do now, the claim being given back: it is settled
 * @throws ClaimLost when the study was taken back or is in other hands by now
 */
export async function openDelivery(claim: RowClaim, eager: Eagerness): Promise<DeliveryRecord | undefined> {
  let record: DeliveryRecord | undefined;
  try {
    record = await claim.write((unit) => openUnderClaim(unit, claim, eager));
    return record;
  } finally {
    if (!record) await claim.stopRenewing();
  }
}

async function openUnderClaim(
  unit: UnitOfWork,
  claim: RowClaim,
  eager: Eagerness,
): Promise<DeliveryRecord | undefined> {
  const { trx } = unit;
  const before = await findStudy(trx, claim.id);
  const upload = before && (await findUpload(trx, before.uploadId));
  const open = before?.status === 'pending' || before?.status === 'delivering';
  if (!before || !open || !upload || !mayRun(before, upload, eager)) {
    await releaseClaim(trx, 'studies', claim.id, claim.holder);
    return undefined;
  }
  const attempts = before.attempts + 1;
  await updateStudy(trx, before.id, { status: 'delivering', attempts, nextAttemptAt: null });
  // A study that begins anew gets another chance for what failed before; one that goes on keeps its verdicts.
  if (before.status === 'pending') await reopenFailedInstances(trx, before.id);
  const study = await findStudy(trx, before.id);
  return study && new DeliveryRecord(claim, study, upload, await listInstances(trx, study.id));
}

/** Frees the study and writes down the job that takes it up again, `seconds` from now. */
async function release(
  unit: UnitOfWork,
  study: Pick<StudyRow, 'id' | 'attempts'>,
  upload: UploadRow,
  holder: string,
  seconds: number,
): Promise<void> {
  const nextAttemptAt = seconds > 0 ? new Date(Date.now() + seconds * 1000) : null;
  await updateStudy(unit.trx, study.id, { nextAttemptAt });
  await releaseClaim(unit.trx, 'studies', study.id, holder);
  unit.enqueue(deliveryJob({ ...study, nextAttemptAt }, upload.serviceLevel));
}

/** Ends an upload all of whose studies have ended; its row is held, so the last one sees the others. */
async function settleUpload(unit: UnitOfWork, upload: UploadRow): Promise<void> {
  const studies = await listFirstDeliveries(unit.trx, [upload.id]);
  if (
    upload.status !== 'delivering' ||
    studies.some((s) => s.status === 'pending' || s.status === 'delivering')
  ) {
    announceUpload(unit, upload);
    return;
  }
  const problems = studies.flatMap(({ status, problem }) =>
    status === 'failed' && problem ? [problem] : [],
  );
  const delivered = studies.filter(({ status }) => status === 'delivered').length;
  await changeUploadStatus(unit, {
    uploadId: upload.id,
    to: delivered === studies.length ? 'delivered' : 'failed',
    actor: SYSTEM_ACTOR,
    detail: { studies: studies.length, delivered },
    ...(delivered === studies.length ? {} : { problem: uploadProblem(problems, studies.length) }),
  });
}

const ids = (instances: readonly InstanceRow[]) => instances.map(({ id }) => id);
