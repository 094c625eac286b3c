import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { Store } from '../../api/store.js';
import type { StudyDetails } from './announcement.js';
import type { EarlierStudy } from './earlier-studies.js';
import type { FoundStudy, Grouping, InspectedFile, LeftOutFile, OtherFile } from './grouping.js';
import { photoDetails } from './photo-details.js';
import type { PickedFile } from './picked-files.js';

export interface DraftStudy extends FoundStudy {
  included: boolean;
  details: StudyDetails;
  /** The study sent before that these photos are added to. */
  earlier: EarlierStudy | undefined;
}

export interface DraftState {
  /** Set while files are being looked into. Files in archives count as well, once they are known. */
  reading: { done: number; total: number } | undefined;
  studies: readonly DraftStudy[];
  damaged: readonly LeftOutFile[];
  others: readonly OtherFile[];
  problem: string | undefined;
}

interface Answers {
  included?: boolean;
  details?: Partial<StudyDetails>;
  earlier?: EarlierStudy | undefined;
}

const EMPTY: DraftState = { reading: undefined, studies: [], damaged: [], others: [], problem: undefined };
const NOTHING: Grouping = { studies: [], damaged: [], others: [] };

/** What has been picked and not sent yet, with what the person has said about it. Survives a change of page. */
export class Draft extends Store<DraftState> {
  #files: InspectedFile[] = [];
  #grouping: Grouping = NOTHING;
  #photosApart = false;
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
    const tell = (done: number, total: number) => {
      if (!signal.aborted) this.set({ ...this.value, reading: { done, total }, problem: undefined });
    };
    tell(0, picked.length);
    try {
      const { lookInto } = await import('./look-into.js');
      const found = await lookInto(picked, tell, signal);
      if (signal.aborted) return;
      this.#files = this.#files.concat(found);
      await this.#sort();
    } catch {
      if (!signal.aborted) this.#show('The files could not be checked. Reload the page and try again.');
    }
  }

  include(key: string, included: boolean): void {
    this.#answer(key, { included });
  }

  describe(key: string, details: Partial<StudyDetails>): void {
    this.#answer(key, { details: { ...this.#answers.get(key)?.details, ...details } });
  }

  /** Says to which study sent before the photos of a card belong; `undefined`: to none. */
  addTo(key: string, earlier: EarlierStudy | undefined): void {
    this.#answer(key, { earlier });
  }

  /** Says whether photos picked beside the only study belong to it. */
  setPhotosApart(apart: boolean): void {
    this.#photosApart = apart;
    void this.#sort();
  }

  /** Takes one file off, as if it had never been picked. */
  remove(file: File): void {
    this.#files = this.#files.filter((other) => other.file !== file);
    if (this.#files.length === 0) this.clear();
    else void this.#sort();
  }

  /** Forgets everything that was picked, and stops looking into files. */
  clear(): void {
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#files = [];
    this.#grouping = NOTHING;
    this.#photosApart = false;
    this.#answers.clear();
    this.set(EMPTY);
  }

  /** The rules are loaded with the first files: nobody needs them before. */
  async #sort(): Promise<void> {
    const { signal } = this.#stopping;
    const { groupStudies } = await import('./grouping.js');
    if (signal.aborted) return;
    this.#grouping = groupStudies(this.#files, { photosApart: this.#photosApart });
    this.#show(undefined);
  }

  #answer(key: string, answer: Answers): void {
    this.#answers.set(key, { ...this.#answers.get(key), ...answer });
    this.#show(this.value.problem);
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
    const { included = true, details, earlier } = this.#answers.get(study.key) ?? {};
    const { header } = study;
    return {
      ...study,
      included: included && !study.refused,
      earlier: study.kind === 'photos' ? earlier : undefined,
      details: {
        patientName: study.patientName,
        studyDate: header.studyDate ?? '',
        modality: header.modality ?? '',
        serviceLevel: this.#defaultServiceLevel,
        target: '',
        clinicalHistory: '',
        patientId: '',
        patientBirthDate: '',
        patientSex: '',
        studyDescription: '',
        ...(study.kind === 'photos' ? photoDetails(study.photos) : {}),
        ...details,
      },
    };
  }
}
