import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { Link, useParams } from 'react-router';
import { ProblemError } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { formatDate, formatPatientName } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { LevelSign } from '../../ui/ServiceLevel.js';
import { SkeletonCards } from '../../ui/Skeleton.js';
import { LoadProblem } from './LoadProblem.js';
import { ReceiptLinks } from './ReceiptLinks.js';
import { SendAgain } from './SendAgain.js';
import { senderWords } from './sender-words.js';
import { isFaultAfterEarlyDelivery, isToldAbove, waitsForSender } from './status-sentences.js';
import { UploadFacts } from './UploadFacts.js';
import { UploadFiles } from './UploadFiles.js';
import { UploadStatusCard } from './UploadStatusCard.js';
import { UploadStudies } from './UploadStudies.js';
import { UploadTimeline } from './UploadTimeline.js';
import { useUpload } from './use-upload.js';
import { WarningNotice } from './WarningNotice.js';
import './queue.css';

/** One upload: where it is, what is wrong with it if anything is, and what was sent. */
export function UploadPage() {
  const { id = '' } = useParams();
  const { upload, error, reload } = useUpload(id);
  return (
    <div className="stack">
      <Link className="back" to="/uploads">
        <Icon name="arrowLeft" size={18} /> All uploads
      </Link>
      {upload ? (
        <Loaded upload={upload} error={error} onChange={reload} />
      ) : error instanceof ProblemError && error.status === 404 ? (
        <>
          <PageHeading title="Upload not found" />
          <p className="muted">It does not exist, or it belongs to somebody else.</p>
        </>
      ) : error !== undefined ? (
        <>
          <PageHeading title="Upload" />
          <LoadProblem error={error} onRetry={() => void reload()} />
        </>
      ) : (
        <SkeletonCards />
      )}
    </div>
  );
}

interface LoadedProps {
  upload: UploadDetail;
  error: unknown;
  onChange(): Promise<void>;
}

function Loaded({ upload, error, onChange }: LoadedProps) {
  const { session } = useServices();
  const isSender = session.user?.id === upload.userId;
  const about = [upload.modality, formatDate(upload.studyDate), upload.studyDescription].filter(Boolean);
  return (
    <div className="stack-large">
      <div>
        {/* The browser's history is no place for a patient's name. */}
        <PageHeading title="Upload">
          <span className="row upload-title">
            <span>{formatPatientName(upload.patientName)}</span> <LevelSign level={upload.serviceLevel} />
          </span>
        </PageHeading>
        <p className="muted">{about.join(' · ')}</p>
        {upload.sender && !isSender && <p className="muted">Sent by {senderWords(upload.sender)}</p>}
      </div>
      {error !== undefined && <LoadProblem error={error} onRetry={() => void onChange()} />}
      <UploadStatusCard upload={upload} onChange={onChange} />
      <ReceiptLinks upload={upload} />
      <SendAgain upload={upload} onChange={onChange} />
      {/* While it waits for an answer they stand where the answer is given. */}
      {!waitsForSender(upload) && <WarningNotice title="Please check" warnings={upload.warnings} />}
      <UploadFiles
        files={upload.files}
        haveGone={isFaultAfterEarlyDelivery(upload.problem)}
        isTold={(sentence) => isToldAbove(upload, sentence)}
      />
      <UploadStudies upload={upload} />
      <UploadTimeline timeline={upload.timeline} />
      <UploadFacts upload={upload} />
    </div>
  );
}
