import type { Study } from '@relaypacs/core/contract/uploads.js';
import { formatMoment } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice, type NoticeTone, toneIcon } from '../../ui/Notice.js';
import { deliveryWords } from './study-words.js';

interface StudyDeliveriesProps {
  /** The first delivery of a study. */
  study: Study;
  /** Every delivery of the upload. */
  deliveries: readonly Study[];
  /** What the page says above already. */
  isTold(sentence: string): boolean;
}

const nthWords = ({ resendOf, target }: Study, first: Study) => {
  if (resendOf === null) return ': ';
  return target === first.target ? ', sent again: ' : ', sent there as well: ';
};

/** To which PACS a study went or goes: the first one, and those an administrator had it sent to later. */
export function StudyDeliveries({ study, deliveries, isTold }: StudyDeliveriesProps) {
  const further = deliveries.filter(({ resendOf }) => resendOf === study.id);
  return (
    <ul className="deliveries">
      {[study, ...further].map((delivery) => (
        <li key={delivery.id}>
          <p className="small delivery">
            <span className={`tone-${toneOf(delivery)}`}>
              <Icon name={toneIcon(toneOf(delivery))} size={18} />
            </span>
            <span>
              <strong>{delivery.targetName}</strong>
              {nthWords(delivery, study)}
              {deliveryWords(delivery)}
              {delivery.deliveredAt && ` · ${formatMoment(delivery.deliveredAt)}`}
            </span>
          </p>
          {delivery.problem && !isTold(delivery.problem.detail) && (
            <Notice tone={delivery.status === 'failed' ? 'bad' : 'waiting'}>{delivery.problem.detail}</Notice>
          )}
        </li>
      ))}
    </ul>
  );
}

function toneOf({ status, waitingFor }: Study): NoticeTone {
  if (waitingFor === 'pacs') return 'waiting';
  if (status === 'delivered') return 'good';
  return status === 'failed' ? 'bad' : 'moving';
}
