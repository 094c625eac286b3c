import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { Store } from '../../api/store.js';
import type { StudyDetails } from './announcement.js';
import {
  type FoundStudy,
  type Grouping,
  groupStudies,
  type InspectedFile,
  type LeftOutFile,
  type OtherFile,
} from './grouping.js';
import type { PickedFile } from './picked-files.js';

export interface DraftStudy extends FoundStudy {
  included: boolean;
  details: StudyDetails;
}

export interface DraftState {
  /** Set while files are being looked into. */
  reading: { done: number; total: number } | undefined;
  studies: readonly DraftStudy[];
  damaged: readonly LeftOutFile[];
  others: readonly OtherFile[];
  problem: string | undefined;
}

interface Answers {
  included?: boolean;
  details?: Partial<StudyDetails>;
}

const EMPTY: DraftState = { reading: undefined, studies: [], damaged: [], others: [], problem: undefined };

/** What has been picked and not sent yet, with what the person has said about it. Survives a change of page. */
export class Draft extends Store<DraftState> {
  #files: InspectedFile[] = [];
  #grouping: Grouping = groupStudies([]);
  readonly #answers = new Map<string, Answers>();
  #defaultServiceLevel: ServiceLevel = 'routine';
  #stopping = new AbortController();

  constructor() {
    super(EMPTY);
  }

  /** Looks into `picked` and adds what is found to what is there. */
  async add(picked: readonly PickedFile[], defaultServiceLevel: ServiceLevel): Promise<void> {
    if (this.value.reading !== undefined || picked.length === 0) return;
    this.#defaultServiceLevel = defaultServiceLevel;
    const { signal } = this.#stopping;
    const found: InspectedFile[] = [];
    this.set({ ...this.value, reading: { done: 0, total: picked.length }, problem: undefined });
    try {
      const { inspectFiles } = await import('./inspect.js');
      await inspectFiles(
        picked.map(({ file }) => file),
        (inspected) => {
          for (const { index, inspection } of inspected) {
            const file = picked[index];
            if (file) found.push({ ...file, inspection });
          }
          this.set({ ...this.value, reading: { done: found.length, total: picked.length } });
        },
        signal,
      );
      if (signal.aborted) return;
      this.#files = this.#files.concat(found);
      this.#grouping = groupStudies(this.#files);
      this.#show(undefined);
    } catch {
      if (!signal.aborted) this.#show('The files could not be checked. Reload the page and try again.');
    }
  }

  include(key: string, included: boolean): void {
    this.#answers.set(key, { ...this.#answers.get(key), included });
    this.#show(undefined);
  }

  describe(key: string, details: Partial<StudyDetails>): void {
    const before = this.#answers.get(key);
    this.#answers.set(key, { ...before, details: { ...before?.details, ...details } });
    this.#show(undefined);
  }

  /** Forgets everything that was picked, and stops looking into files. */
  clear(): void {
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#files = [];
    this.#grouping = groupStudies([]);
    this.#answers.clear();
    this.set(EMPTY);
  }

  #show(problem: string | undefined): void {
    const { studies, damaged, others } = this.#grouping;
    this.set({
      reading: undefined,
      studies: studies.map((study) => this.#withAnswers(study)),
      damaged,
      others,
      problem,
    });
  }

  #withAnswers(study: FoundStudy): DraftStudy {
    const { included = true, details } = this.#answers.get(study.key) ?? {};
    return {
      ...study,
      included,
      details: {
        patientName: study.patientName,
        studyDate: study.header.studyDate ?? '',
        modality: study.header.modality ?? '',
        serviceLevel: this.#defaultServiceLevel,
        clinicalHistory: '',
        ...details,
      },
    };
  }
}
