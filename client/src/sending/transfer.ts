import type {
  CreateUploadRequest,
  CreateUploadResponse,
  UploadDetail,
  UploadStatus,
} from '@relaypacs/core/contract/uploads.js';
import { formatPatientName } from '../ui/format.js';
import { adoptableFiles } from './adoption.js';
import { newClientId } from './new-client-id.js';
import { SpeedMeter } from './speed.js';
import type { Destination, FileToSend } from './transport.js';

export interface StudyToSend {
  announcement: CreateUploadRequest;
  files: readonly FileToSend[];
  /** Images of this study that are damaged and stay on the device. */
  damaged?: number;
  /** Where the files belong when they do not become an upload of their own. */
  addTo?: AddTo;
}

/** An upload that waits for its sender's answer, and gets further files. */
export interface AddTo {
  uploadId: string;
  /** Files it had before these. */
  filesBefore: number;
}

/** `sent`: every file is at the server, which has said so. */
export type SendingPhase =
  | 'announcing'
  | 'duplicate'
  | 'sending'
  | 'completing'
  | 'sent'
  | 'failed'
  | 'cancelling'
  | 'cancelled';

/** What keeps a study waiting although nothing is wrong with it. */
export type Hindrance = 'offline' | 'unreachable' | 'serverBusy' | 'rateLimited' | 'signIn';

export interface EarlierUpload {
  id: string;
  createdAt: string;
  status: UploadStatus;
  /** It cannot be continued with the files picked now: they are not the same. */
  differs: boolean;
}

/** `continue`: send what an unfinished upload still lacks. `new`: send everything as another upload. */
export type DuplicateAnswer = 'continue' | 'new' | 'doNotSend';

/** How far one study is, for the pages: never changes once it is made. */
export interface SendingStudy {
  id: string;
  uploadId: string | undefined;
  patientName: string;
  studyDate: string;
  modality: string;
  serviceLevel: CreateUploadRequest['serviceLevel'];
  phase: SendingPhase;
  /** Damaged images of it that were left out. */
  damaged: number;
  /** Another study goes first. */
  queued: boolean;
  hindrance: Hindrance | undefined;
  filesSent: number;
  fileCount: number;
  bytesSent: number;
  totalBytes: number;
  bytesPerSecond: number | undefined;
  secondsLeft: number | undefined;
  problem: string | undefined;
  earlier: EarlierUpload | undefined;
}

export interface FileState {
  file: FileToSend;
  bytes: number;
  url: string | undefined;
  /** How often the server has lost it, so that it had to be created anew. */
  losses: number;
}

/** A file the server loses more often than this is not created again until the person says so. */
const MOST_LOSSES = 3;

const PHASES_UNDER_WAY: readonly SendingPhase[] = [
  'announcing',
  'duplicate',
  'sending',
  'completing',
  'cancelling',
];

/** Whether a study of this phase is still being worked on by this page. */
export function isUnderWay(phase: SendingPhase): boolean {
  return PHASES_UNDER_WAY.includes(phase);
}

/** Bytes of one request for an upload of which the server's answer, which advises a size, was not heard. */
const UNANSWERED_CHUNK_SIZE = 8 * 1024 * 1024;

/** The state of one study on its way; what to do with it next is the engine's business. */
export class Transfer {
  readonly id: string;
  readonly announcement: CreateUploadRequest;
  readonly addTo: AddTo | undefined;
  readonly fileCount: number;
  readonly totalBytes: number;
  phase: SendingPhase = 'announcing';
  hindrance: Hindrance | undefined;
  problem: string | undefined;
  earlier: EarlierUpload | undefined;
  /** Send although the server has seen this study before. */
  force = false;
  /** The unfinished upload to go on with instead of announcing a new one. */
  continuing: EarlierUpload | undefined;
  destination: Destination | undefined;
  filesSent = 0;
  filesUnderWay = 0;
  bytesSent = 0;
  #stopping = new AbortController();
  readonly #files: readonly FileToSend[];
  readonly #damaged: number;
  /** The files of the upload there is now; an attempt at an earlier one may end late. */
  #states: ReadonlySet<FileState> = new Set();
  /** The next file stands last. */
  #pending: FileState[] = [];
  readonly #speed = new SpeedMeter();

  constructor(id: string, study: StudyToSend) {
    this.id = id;
    this.announcement = study.announcement;
    this.addTo = study.addTo;
    this.fileCount = study.files.length;
    this.totalBytes = study.files.reduce((sum, file) => sum + file.blob.size, 0);
    this.#files = study.files;
    this.#damaged = study.damaged ?? 0;
    this.#startOver();
  }

  /** Aborts when the study is cancelled or fails. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The upload at the server; undefined until it has been announced. */
  get uploadId(): string | undefined {
    return this.destination?.uploadId ?? this.addTo?.uploadId;
  }

  get underWay(): boolean {
    return isUnderWay(this.phase);
  }

  get hasPendingFiles(): boolean {
    return this.#pending.length > 0;
  }

  announced(answer: CreateUploadResponse): void {
    this.destination = {
      uploadId: answer.id,
      endpoint: answer.tusEndpoint,
      token: answer.uploadToken,
      chunkSize: answer.chunkSize,
    };
    this.earlier = undefined;
    this.#enter('sending');
  }

  /** The upload takes the added files already: the answer that said so was lost. */
  openedBefore(uploadId: string, token: string): void {
    this.destination = unansweredDestination(uploadId, token);
    this.#enter('sending');
  }

  /**
   * Goes on with an upload that an earlier page began: what has arrived is not sent again.
   *
   * @returns false when the files picked now are not those of that upload; nothing has changed then
   */
  adopt(upload: UploadDetail, token: string): boolean {
    const arrived = adoptableFiles(this.announcement, this.#files, upload);
    if (!arrived) return false;
    this.destination = unansweredDestination(upload.id, token);
    this.continuing = undefined;
    this.earlier = undefined;
    const pending: FileState[] = [];
    for (const file of this.#files) {
      const there = arrived.get(file);
      const done = there !== undefined && there.status !== 'uploading';
      const bytes = done ? file.blob.size : (there?.offset ?? 0);
      this.bytesSent += bytes;
      if (done) this.filesSent += 1;
      else pending.push({ file, bytes, url: there && `/files/${there.id}`, losses: 0 });
    }
    this.#pending = pending.reverse();
    this.#states = new Set(pending);
    this.#enter('sending');
    return true;
  }

  takeFile(): FileState | undefined {
    return this.#pending.pop();
  }

  giveBack(state: FileState): void {
    state.losses = 0;
    if (this.#states.has(state)) this.#pending.push(state);
  }

  /**
   * The upload is open, but the server does not know the file any more: the next attempt creates another one.
   * Its clientId would lead back to the lost file, since a creation is repeated by clientId.
   *
   * @returns false when that has been tried often enough
   */
  createAnew(state: FileState): boolean {
    state.losses += 1;
    state.file = { ...state.file, clientId: newClientId() };
    state.url = undefined;
    this.bytesSent -= state.bytes;
    state.bytes = 0;
    return state.losses <= MOST_LOSSES;
  }

  progress(state: FileState, bytes: number, now: number): void {
    const moved = Math.min(bytes, state.file.blob.size) - state.bytes;
    if (moved > 0) this.hindrance = undefined;
    state.bytes += moved;
    this.bytesSent += moved;
    this.#speed.record(now, this.bytesSent);
  }

  fileSent(state: FileState, now: number): void {
    this.progress(state, state.file.blob.size, now);
    this.hindrance = undefined;
    this.filesSent += 1;
  }

  hinderedBy(hindrance: Hindrance): void {
    if (this.underWay) this.hindrance = hindrance;
    this.#speed.reset();
  }

  askAboutDuplicate(earlier: EarlierUpload): void {
    this.earlier = earlier;
    this.continuing = undefined;
    this.#enter('duplicate');
  }

  completing(): void {
    this.#enter('completing');
  }

  sent(): void {
    this.filesSent = this.fileCount;
    this.bytesSent = this.totalBytes;
    this.#enter('sent');
  }

  /** @param problem - what happened and what to do, for people */
  fail(problem: string): void {
    if (!this.underWay) return;
    this.#enter('failed');
    this.problem = problem;
    this.#stopping.abort();
  }

  /** The server closed the upload and removed its files. Trying again means a new upload. */
  expired(): void {
    this.fail('The time for sending this study ran out and the server closed it. Send it again.');
    this.#startOver();
  }

  cancelling(): void {
    this.#enter('cancelling');
    this.#stopping.abort();
  }

  cancelled(): void {
    this.#enter('cancelled');
    this.#stopping.abort();
  }

  /** Goes on after a failure, with what has not arrived yet. */
  again(): void {
    this.#stopping = new AbortController();
    this.#enter(this.destination ? 'sending' : 'announcing');
  }

  snapshot(queued: boolean): SendingStudy {
    const bytesPerSecond =
      this.phase === 'sending' && !this.hindrance ? this.#speed.bytesPerSecond() : undefined;
    const left = this.totalBytes - this.bytesSent;
    return {
      id: this.id,
      uploadId: this.uploadId,
      patientName: formatPatientName(this.announcement.patientName),
      studyDate: this.announcement.studyDate,
      modality: this.announcement.modality,
      serviceLevel: this.announcement.serviceLevel,
      phase: this.phase,
      damaged: this.#damaged,
      queued,
      hindrance: this.hindrance,
      filesSent: this.filesSent,
      fileCount: this.fileCount,
      bytesSent: this.bytesSent,
      totalBytes: this.totalBytes,
      bytesPerSecond,
      secondsLeft: bytesPerSecond ? left / bytesPerSecond : undefined,
      problem: this.problem,
      earlier: this.earlier,
    };
  }

  #startOver(): void {
    this.destination = undefined;
    this.continuing = undefined;
    this.filesSent = 0;
    this.bytesSent = 0;
    this.#pending = this.#files.map((file) => ({ file, bytes: 0, url: undefined, losses: 0 })).reverse();
    this.#states = new Set(this.#pending);
  }

  #enter(phase: SendingPhase): void {
    this.phase = phase;
    this.hindrance = undefined;
    this.problem = undefined;
    this.#speed.reset();
  }
}

function unansweredDestination(uploadId: string, token: string): Destination {
  return { uploadId, endpoint: '/files', token, chunkSize: UNANSWERED_CHUNK_SIZE };
}
