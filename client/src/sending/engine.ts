import type { ServiceLevel, UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { NetworkError } from '../api/problem-error.js';
import { Store } from '../api/store.js';
import { type Failure, nextStep } from './failure.js';
import { StudyCalls, type StudyCallsOptions } from './study-calls.js';
import {
  type DuplicateAnswer,
  type FileState,
  type SendingStudy,
  type StudyToSend,
  Transfer,
} from './transfer.js';
import type { FileToSend, FileTransport } from './transport.js';

export interface EngineOptions extends StudyCallsOptions {
  /** Called before the first file: the code that moves files is large and not needed earlier. */
  loadTransport(): Promise<FileTransport>;
  /** Files sent at the same time, over all studies. */
  parallel: number;
}

const URGENCY: Record<ServiceLevel, number> = { stat: 1, emergency: 2, routine: 3 };
/** The pages are told of progress this often, whatever the number of files. */
const TELL_EVERY_MS = 300;
/**
 * Studies announced whose files still wait, the one being sent included: the server takes a limited number of
 * new uploads a minute, and one announced long before its turn could expire.
 */
const MOST_ANNOUNCED = 3;

/**
 * Sends studies: announces each, moves its files, the most urgent study first, and does not stop trying until
 * the server has everything, says no, or the person cancels. Lives outside of React, so that sending goes on
 * whatever page is shown.
 */
export class SendingEngine extends Store<readonly SendingStudy[]> {
  readonly #options: EngineOptions;
  readonly #calls: StudyCalls;
  #transfers: Transfer[] = [];
  #transport: Promise<FileTransport> | undefined;
  #announcing: Transfer | undefined;
  #filesUnderWay = 0;
  #telling: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;

  constructor(options: EngineOptions) {
    super([]);
    this.#options = options;
    this.#calls = new StudyCalls(options, () => this.#tellNow());
    options.network.subscribe(() => this.#networkChanged());
  }

  /** True while something would be lost if the page were closed. */
  get busy(): boolean {
    return this.#transfers.some((transfer) => transfer.underWay);
  }

  send(studies: readonly StudyToSend[]): void {
    for (const study of studies) {
      this.#lastId += 1;
      this.#transfers.push(new Transfer(String(this.#lastId), study));
    }
    this.#tellNow();
    void this.#announceAll();
  }

  /**
   * Sends further files into an upload that waits for its sender's answer. While this page is sending into that upload
   * already, nothing is added; an attempt that failed is given up for this one.
   */
  addFiles(upload: UploadSummary, files: readonly FileToSend[]): void {
    const same = this.#transfersOf(upload.id);
    if (files.length === 0 || same.some((other) => other.underWay)) return;
    for (const other of same) this.#drop(other);
    const { id, patientName, studyDate, modality, serviceLevel, filesReceived } = upload;
    const announcement = {
      patientName,
      studyDate,
      modality,
      serviceLevel,
      fileCount: files.length,
      totalBytes: files.reduce((sum, { blob }) => sum + blob.size, 0),
    };
    this.send([{ announcement, files, addTo: { uploadId: id, filesBefore: filesReceived } }]);
  }

  /** The person's answer when the server has seen the study before. */
  answerDuplicate(id: string, answer: DuplicateAnswer): void {
    const transfer = this.#find(id);
    if (transfer?.phase !== 'duplicate') return;
    if (answer === 'doNotSend') {
      this.#drop(transfer);
      return;
    }
    transfer.force = answer === 'new';
    if (answer === 'continue') {
      const { earlier } = transfer;
      const same = this.#transfersOf(earlier?.id ?? '');
      // Two at once would be at the same files; one that has failed is taken over.
      if (same.some((other) => other.underWay)) return;
      for (const other of same) this.#drop(other);
      transfer.continuing = earlier;
    }
    this.#goOn(transfer);
  }

  /** Tries a failed study again with what has not arrived yet. */
  tryAgain(id: string): void {
    const transfer = this.#find(id);
    if (transfer?.phase === 'failed') this.#goOn(transfer);
  }

  /** Stops a study and has the server remove what has arrived. */
  async cancel(id: string): Promise<void> {
    const transfer = this.#find(id);
    if (!transfer || (!transfer.underWay && transfer.phase !== 'failed')) return;
    transfer.cancelling();
    this.#tellNow();
    await this.#calls.cancel(transfer);
    this.#tellNow();
    this.#pump();
  }

  /** Takes a study that has come to an end off the list. */
  dismiss(id: string): void {
    const transfer = this.#find(id);
    if (transfer && !transfer.underWay) this.#drop(transfer);
  }

  /** Stops everything and forgets it, without telling the server: for when another person takes over. */
  clear(): void {
    for (const transfer of this.#transfers) transfer.cancelled();
    this.#transfers = [];
    this.#tellNow();
  }

  #find(id: string): Transfer | undefined {
    return this.#transfers.find((transfer) => transfer.id === id);
  }

  #transfersOf(uploadId: string): Transfer[] {
    return this.#transfers.filter((transfer) => transfer.uploadId === uploadId);
  }

  #drop(transfer: Transfer): void {
    transfer.cancelled();
    this.#transfers = this.#transfers.filter((other) => other !== transfer);
    this.#tellNow();
  }

  #goOn(transfer: Transfer): void {
    transfer.again();
    this.#tellNow();
    this.#pump();
    this.#completeIfAllSent(transfer);
  }

  #byUrgency(): Transfer[] {
    return [...this.#transfers].sort(
      (a, b) => URGENCY[a.announcement.serviceLevel] - URGENCY[b.announcement.serviceLevel],
    );
  }

  /** One after the other, so that a slow network is not asked twenty things at once. */
  async #announceAll(): Promise<void> {
    if (this.#announcing) return;
    for (let next = this.#nextToAnnounce(); next; next = this.#nextToAnnounce()) {
      this.#announcing = next;
      this.#tellNow();
      await this.#calls.announce(next);
      this.#announcing = undefined;
      this.#tellNow();
      this.#sendFiles();
      this.#completeIfAllSent(next);
    }
  }

  #nextToAnnounce(): Transfer | undefined {
    const next = this.#byUrgency().find((transfer) => transfer.phase === 'announcing');
    if (!next) return undefined;
    const urgency = URGENCY[next.announcement.serviceLevel];
    const ahead = this.#transfers.filter(
      ({ phase, hasPendingFiles, announcement }) =>
        phase === 'sending' && hasPendingFiles && URGENCY[announcement.serviceLevel] <= urgency,
    );
    return ahead.length < MOST_ANNOUNCED ? next : undefined;
  }

  #pump(): void {
    this.#sendFiles();
    void this.#announceAll();
  }

  /** Starts files until as many are under way as may be, always for the most urgent study that has some left. */
  #sendFiles(): void {
    while (this.#filesUnderWay < this.#options.parallel) {
      const transfer = this.#nextToSend();
      if (!transfer) return;
      this.#filesUnderWay += 1;
      transfer.filesUnderWay += 1;
      void this.#sendNextFile(transfer).then(() => {
        this.#filesUnderWay -= 1;
        transfer.filesUnderWay -= 1;
        this.#pump();
        this.#completeIfAllSent(transfer);
      });
    }
  }

  #nextToSend(): Transfer | undefined {
    return this.#byUrgency().find((transfer) => transfer.phase === 'sending' && transfer.hasPendingFiles);
  }

  async #sendNextFile(transfer: Transfer): Promise<void> {
    const { destination, signal } = transfer;
    const state = transfer.takeFile();
    const transport = await this.#loadTransport(transfer);
    if (!state || !destination) return;
    for (let attempt = 1; transport && !signal.aborted; attempt += 1) {
      await this.#options.network.whenOnline(signal);
      const before = state.bytes;
      const { token } = destination;
      const outcome = await transport.send(
        state.file,
        destination,
        state.url,
        (bytes) => this.#progressed(() => transfer.progress(state, bytes, Date.now())),
        signal,
      );
      if (outcome.sent) return this.#progressed(() => transfer.fileSent(state, Date.now()));
      if (signal.aborted) break;
      state.url = outcome.url;
      if (state.bytes > before) attempt = 1;
      if (!(await this.#canTryAgain(transfer, state, outcome.failure, attempt, token))) break;
    }
    transfer.giveBack(state);
    this.#tellNow();
  }

  async #loadTransport(transfer: Transfer): Promise<FileTransport | undefined> {
    try {
      this.#transport ??= this.#options.loadTransport();
      return await this.#transport;
    } catch (error) {
      this.#transport = undefined;
      transfer.fail(new NetworkError(error).message);
      return undefined;
    }
  }

  /** After a failed attempt, having waited as long as it takes. */
  async #canTryAgain(
    transfer: Transfer,
    state: FileState,
    failure: Failure,
    attempt: number,
    token: string,
  ): Promise<boolean> {
    const { signal } = transfer;
    const { file } = state;
    const step = nextStep(failure);
    if (step === 'giveUp') {
      transfer.fail(failure.detail ?? 'The server did not accept a file of this study.');
      return false;
    }
    if (step === 'renewToken') {
      // Another file may have renewed it meanwhile.
      if (transfer.destination?.token === token) await this.#calls.renewToken(transfer);
      if (attempt === 1) return true;
    }
    if (step === 'askServer') {
      if (!(await this.#calls.stillOpen(transfer))) return false;
      const lost = failure.status === 404 || failure.status === 410;
      if (lost && !transfer.createAnew(state)) {
        transfer.fail(
          `The server keeps losing the file ${file.name}. What has arrived is safe. ` +
            'Try again, and tell your administrator if it fails again.',
        );
        return false;
      }
    }
    const readable = failure.status !== undefined || (await isReadable(file.blob));
    // It failed or was cancelled meanwhile, and may even have been started again.
    if (signal.aborted) return false;
    if (!readable) {
      transfer.fail(
        `The file ${file.name} cannot be read any more: it was moved or changed, or its disc was taken out. ` +
          'Choose the study again.',
      );
      return false;
    }
    transfer.hinderedBy(this.#calls.hindranceOf(failure.status));
    this.#tellNow();
    await this.#calls.wait(transfer, attempt, failure.retryAfter);
    return true;
  }

  #completeIfAllSent(transfer: Transfer): void {
    if (transfer.phase !== 'sending' || transfer.hasPendingFiles || transfer.filesUnderWay > 0) return;
    void this.#calls.complete(transfer);
  }

  #networkChanged(): void {
    const { online } = this.#options.network;
    void this.#transport?.then(
      (transport) => (online ? transport.resume() : transport.pause()),
      () => undefined,
    );
    for (const transfer of this.#transfers) {
      if (!online) transfer.hinderedBy('offline');
      else if (transfer.hindrance === 'offline') transfer.hindrance = undefined;
    }
    this.#tellNow();
  }

  #progressed(change: () => void): void {
    change();
    this.#telling ??= setTimeout(() => this.#tellNow(), TELL_EVERY_MS);
  }

  #tellNow(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const next = this.#nextToSend();
    this.set(
      this.#transfers.map((transfer) =>
        transfer.snapshot(
          transfer.phase === 'announcing'
            ? transfer !== this.#announcing
            : transfer.phase === 'sending' && transfer !== next && transfer.filesUnderWay === 0,
        ),
      ),
    );
  }
}

/** A file handle can go stale under the page; sending it then looks like a network error. */
async function isReadable(blob: Blob): Promise<boolean> {
  try {
    await blob.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
