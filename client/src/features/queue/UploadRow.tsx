import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { Link } from 'react-router';
import { useServices } from '../../app/services.js';
import { formatDate, formatMoment, formatPatientName } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { LevelSign } from '../../ui/ServiceLevel.js';
import { StatusBadge } from './StatusBadge.js';
import { senderName } from './sender-words.js';
import { sizeWords } from './size-words.js';
import { statusWords, waitsForSender } from './status-sentences.js';
import { useSendingHere } from './use-sending-here.js';

/** One line of the list; the whole of it leads to the details. */
export function UploadRow({ upload }: { upload: UploadSummary }) {
  const { session } = useServices();
  const sendingHere = useSendingHere(upload.id);
  const isSender = session.user?.id === upload.userId;
  const words = statusWords(upload, { sendingHere, isSender });
  const asks = isSender && !sendingHere && waitsForSender(upload);
  const about = [upload.modality, formatDate(upload.studyDate), upload.studyDescription].filter(Boolean);
  return (
    <li className={`upload-row ${asks ? 'upload-row-asks' : ''}`}>
      <div className="upload-main">
        <div className="row upload-title">
          <Link className="upload-link" to={`/uploads/${upload.id}`}>
            {formatPatientName(upload.patientName)}
          </Link>
          <LevelSign level={upload.serviceLevel} />
        </div>
        <p>{about.join(' · ')}</p>
        <p className="muted small">
          {sizeWords(upload)} · sent {formatMoment(upload.createdAt)}
          {upload.sender && !isSender && ` · from ${senderName(upload.sender)}`}
        </p>
      </div>
      <div className="upload-state">
        <StatusBadge words={words} />
        <p className="small">{words.sentence}</p>
      </div>
      <span className="upload-chevron muted">
        <Icon name="chevron" />
      </span>
    </li>
  );
}
