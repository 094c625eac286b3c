import type { Study } from '@relaypacs/core/contract/uploads.js';
import { count } from '../../ui/format.js';
import { alreadyThereWords } from './status-sentences.js';

const STUDY_STATUS: Record<Study['status'], string> = {
  pending: 'waits for delivery',
  delivering: 'being delivered',
  delivered: 'delivered',
  failed: 'not delivered',
};

type StudyFacts = Pick<Study, 'seriesCount' | 'status' | 'waitingFor' | 'instances'>;

/** `2 series, 60 images: delivered, 60 of 60 confirmed, 12 were in the PACS already` */
export function studyWords({ seriesCount, status, waitingFor, instances }: StudyFacts): string {
  const { total, verified, failed, alreadyThere, documents } = instances;
  const history = documents > 0 ? ' and the clinical history' : '';
  const found = `${count(seriesCount, 'series', 'series')}, ${count(total - documents, 'image')}${history}`;
  const state = [
    waitingFor === 'pacs' ? 'waits for the PACS' : STUDY_STATUS[status],
    `${verified} of ${total} confirmed`,
    failed > 0 ? `${failed} not taken` : '',
    alreadyThereWords(alreadyThere),
  ];
  return `${found}: ${state.filter((part) => part !== '').join(', ')}`;
}
