import type { Study } from '@relaypacs/core/contract/uploads.js';
import { count } from '../../ui/format.js';
import { alreadyThereWords, arrivalWords, isFaultAfterEarlyDelivery } from './status-sentences.js';

const STUDY_STATUS: Record<Study['status'], string> = {
  pending: 'waits for delivery',
  delivering: 'being delivered',
  delivered: 'delivered',
  failed: 'not delivered',
};

/** `2 series, 60 images and the clinical history` */
export function contentWords({
  seriesCount,
  incomplete,
  instances,
}: Pick<Study, 'seriesCount' | 'incomplete' | 'instances'>): string {
  const { total, documents } = instances;
  const history = documents > 0 ? ' and the clinical history' : '';
  return `${count(seriesCount, 'series', 'series')}, ${count(total - documents, 'image')}${history}${incomplete ? ' so far' : ''}`;
}

/** `delivered, 60 of 60 confirmed, 12 images were in the PACS already` */
export function deliveryWords({
  status,
  incomplete,
  waitingFor,
  problem,
  instances,
}: Pick<Study, 'status' | 'incomplete' | 'waitingFor' | 'problem' | 'instances'>): string {
  const { failed, alreadyThere } = instances;
  const isMoving = status === 'delivering' && waitingFor !== 'pacs';
  const state = [
    incomplete ? 'incomplete' : '',
    waitingFor === 'pacs' ? 'waits for the PACS' : STUDY_STATUS[status],
    isMoving ? arrivalWords(instances) : `${instances.verified} of ${instances.total} confirmed`,
    failed > 0 ? `${failed} ${isFaultAfterEarlyDelivery(problem) ? 'to be looked at' : 'not taken'}` : '',
    alreadyThereWords(alreadyThere),
  ];
  return state.filter((part) => part !== '').join(', ');
}
