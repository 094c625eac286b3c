import { backoffMs } from '../api/backoff.js';
import type { Network } from '../api/network.js';
import { NetworkError, ProblemError, sentenceOf } from '../api/problem-error.js';
import type { UploadsApi } from '../api/uploads.js';
import { nextStep } from './failure.js';
import type { AddTo, EarlierUpload, Hindrance, Transfer } from './transfer.js';

export interface StudyCallsOptions {
  uploads: UploadsApi;
  network: Network;
  /** Resolves when somebody is signed in, or `signal` aborts. */
  whenSignedIn(signal: AbortSignal): Promise<void>;
  /** First wait before a repetition, in milliseconds. */
  firstDelayMs?: number;
}

/**
 * What is said to the API about one study on its way. Each call is repeated for as long as that can help, and
 * leaves its outcome in the transfer: nothing here rejects.
 */
export class StudyCalls {
  readonly #options: StudyCallsOptions;
  readonly #changed: () => void;
  readonly #renewals = new Map<Transfer, Promise<void>>();

  constructor(options: StudyCallsOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
  }

  async announce(transfer: Transfer): Promise<void> {
    const { uploads } = this.#options;
    let unanswered = false;
    for (let attempt = 1; transfer.phase === 'announcing'; attempt += 1) {
      try {
        if (transfer.addTo) return await this.#reopen(transfer, transfer.addTo, unanswered);
        if (transfer.continuing && (await this.#adopt(transfer, transfer.continuing))) return;
        const answer = await uploads.announce({ ...transfer.announcement, forceUpload: transfer.force });
        if (!transfer.signal.aborted) return transfer.announced(answer);
        // Cancelled while the question was under way.
        return void uploads.cancel(answer.id).catch(() => undefined);
      } catch (error) {
        if (transfer.signal.aborted) return;
        const earlier = earlierUpload(error);
        // Only an answer was lost: what the server has seen before is our own first attempt.
        if (earlier?.status === 'created' && unanswered) transfer.force = true;
        else if (earlier) return transfer.askAboutDuplicate(earlier);
        else if (!(await this.waitAfter(transfer, error, attempt))) return;
        unanswered ||= error instanceof NetworkError;
      }
    }
  }

  /**
   * Has an upload that waits for its sender take the files of the transfer as well. An abort leaves the upload as it
   * is: unlike one that was just announced, it holds files.
   *
   * @param unanswered - whether an answer to the same question was lost before
   */
  async #reopen(transfer: Transfer, to: AddTo, unanswered: boolean): Promise<void> {
    const { uploads } = this.#options;
    const { uploadId } = to;
    const { fileCount, totalBytes } = transfer;
    try {
      const answer = await uploads.reopen(uploadId, { fileCount, totalBytes });
      if (!transfer.signal.aborted) transfer.announced(answer);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'UPLOAD_STATE_CONFLICT') throw error;
      const upload = unanswered ? await uploads.detail(uploadId) : undefined;
      // Open for just these files: our own first question did that, only its answer was lost.
      const isOurs = upload?.status === 'uploading' && upload.fileCount === to.filesBefore + fileCount;
      const renewed = isOurs ? await uploads.renewToken(uploadId) : undefined;
      if (transfer.signal.aborted) return;
      if (renewed) transfer.openedBefore(uploadId, renewed.uploadToken);
      else transfer.fail(error.message);
    }
  }

  /** @returns whether that settled it; if not, the earlier upload is not open any more */
  async #adopt(transfer: Transfer, earlier: EarlierUpload): Promise<boolean> {
    const { uploads } = this.#options;
    try {
      const { uploadToken } = await uploads.renewToken(earlier.id);
      const upload = await uploads.detail(earlier.id);
      if (!transfer.signal.aborted && !transfer.adopt(upload, uploadToken)) {
        transfer.askAboutDuplicate({ ...earlier, differs: true });
      }
      return true;
    } catch (error) {
      if (!(error instanceof ProblemError) || nextStep(error) !== 'askServer') throw error;
      transfer.continuing = undefined;
      return transfer.signal.aborted;
    }
  }

  /** One renewal at a time for each study, however many files ask for it. */
  renewToken(transfer: Transfer): Promise<void> {
    let renewal = this.#renewals.get(transfer);
    if (!renewal) {
      renewal = this.#renewTokenNow(transfer).finally(() => this.#renewals.delete(transfer));
      this.#renewals.set(transfer, renewal);
    }
    return renewal;
  }

  async #renewTokenNow(transfer: Transfer): Promise<void> {
    const { destination, signal } = transfer;
    for (let attempt = 1; destination && !signal.aborted; attempt += 1) {
      try {
        destination.token = (await this.#options.uploads.renewToken(destination.uploadId)).uploadToken;
        return;
      } catch (error) {
        if (signal.aborted) return;
        const closed = error instanceof ProblemError && nextStep(error) === 'askServer';
        if (closed) return void (await this.stillOpen(transfer));
        if (!(await this.waitAfter(transfer, error, attempt))) return;
      }
    }
  }

  /** Looks up what became of an upload that refuses a file. @returns whether it does take files after all */
  async stillOpen(transfer: Transfer): Promise<boolean> {
    const { destination, signal } = transfer;
    for (let attempt = 1; destination && !signal.aborted; attempt += 1) {
      try {
        const { status } = await this.#options.uploads.detail(destination.uploadId);
        // Another file has learnt it before, and the study may have been started again since.
        if (signal.aborted) return false;
        if (status === 'created' || status === 'uploading') return true;
        if (status === 'cancelled') transfer.cancelled();
        else if (status === 'expired') transfer.expired();
        else transfer.sent();
        this.#changed();
        return false;
      } catch (error) {
        if (signal.aborted || !(await this.waitAfter(transfer, error, attempt))) return false;
      }
    }
    return false;
  }

  /** Has the server confirm that it holds every file. */
  async complete(transfer: Transfer): Promise<void> {
    transfer.completing();
    this.#changed();
    const { destination } = transfer;
    for (let attempt = 1; destination && isCompleting(transfer); attempt += 1) {
      try {
        await this.#options.uploads.complete(destination.uploadId);
        if (isCompleting(transfer)) transfer.sent();
      } catch (error) {
        const problem = error instanceof ProblemError ? error : undefined;
        if (problem?.code === 'FILES_INCOMPLETE') transfer.fail(problem.message);
        else if (!problem || nextStep(problem) !== 'askServer')
          await this.waitAfter(transfer, error, attempt);
        else if (await this.stillOpen(transfer)) await this.wait(transfer, attempt);
      }
    }
    this.#changed();
  }

  /** Has the server remove what has arrived. Goes on until it was told. */
  async cancel(transfer: Transfer): Promise<void> {
    const { network } = this.#options;
    const { uploadId } = transfer;
    for (let attempt = 1; uploadId; attempt += 1) {
      try {
        await this.#options.uploads.cancel(uploadId);
        break;
      } catch (error) {
        const problem = error instanceof ProblemError ? error : undefined;
        if (problem?.code === 'UPLOAD_STATE_CONFLICT') return this.#tooLate(transfer, uploadId, problem);
        if (problem && ['askServer', 'giveUp'].includes(nextStep(problem))) break;
        transfer.hinderedBy(this.hindranceOf(problem?.status));
        this.#changed();
        await network.waitBeforeRetry(backoffMs(attempt, this.#options.firstDelayMs));
        await network.whenOnline();
      }
    }
    transfer.cancelled();
  }

  /** Delivery has begun. Where it began early the rest is still missing, and whoever sends it can go on. */
  async #tooLate(transfer: Transfer, uploadId: string, problem: ProblemError): Promise<void> {
    const upload = await this.#options.uploads.detail(uploadId).catch(() => undefined);
    if (!upload || upload.status === 'created' || upload.status === 'uploading')
      transfer.fail(problem.message);
    else transfer.sent();
  }

  /** After a failed call. @returns whether to call again; if not, the transfer has failed */
  async waitAfter(transfer: Transfer, error: unknown, attempt: number): Promise<boolean> {
    const problem = error instanceof ProblemError ? error : undefined;
    const step = error instanceof NetworkError ? 'retry' : problem ? nextStep(problem) : 'giveUp';
    if (step === 'renewToken') {
      // The session has ended: the call has already tried to refresh it.
      this.#hinder(transfer, 'signIn');
      await this.#options.whenSignedIn(transfer.signal);
      if (attempt > 1) await this.wait(transfer, attempt);
      return true;
    }
    if (step !== 'retry') {
      transfer.fail(sentenceOf(error));
      return false;
    }
    this.#hinder(transfer, this.hindranceOf(problem?.status));
    await this.wait(transfer, attempt, problem?.retryAfter);
    await this.#options.network.whenOnline(transfer.signal);
    return true;
  }

  /** @param retryAfter - seconds the server asks for */
  wait(transfer: Transfer, attempt: number, retryAfter = 0): Promise<void> {
    const delay = Math.max(backoffMs(attempt, this.#options.firstDelayMs), retryAfter * 1000);
    return this.#options.network.waitBeforeRetry(delay, transfer.signal);
  }

  hindranceOf(status: number | undefined): Hindrance {
    if (!this.#options.network.online) return 'offline';
    if (status === undefined || status === 0) return 'unreachable';
    return status === 429 ? 'rateLimited' : 'serverBusy';
  }

  #hinder(transfer: Transfer, hindrance: Hindrance): void {
    transfer.hinderedBy(hindrance);
    this.#changed();
  }
}

function isCompleting(transfer: Transfer): boolean {
  return transfer.phase === 'completing';
}

function earlierUpload(error: unknown): EarlierUpload | undefined {
  if (!(error instanceof ProblemError) || error.code !== 'DUPLICATE_STUDY') return undefined;
  const existing = error.body.existing as Partial<EarlierUpload> | undefined;
  return {
    id: existing?.id ?? '',
    createdAt: existing?.createdAt ?? '',
    status: existing?.status ?? 'delivered',
    differs: false,
  };
}
