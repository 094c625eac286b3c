import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { useState } from 'react';
import { Link } from 'react-router';
import { useServices } from '../../app/services.js';
import type { SendingStudy } from '../../sending/transfer.js';
import { Dialog } from '../../ui/Dialog.js';
import { formatDate, percent } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { toneIcon } from '../../ui/Notice.js';
import { Progress } from '../../ui/Progress.js';
import { LevelSign } from '../../ui/ServiceLevel.js';
import { leftOutWords, sendingNumbers, sendingWords } from './sending-words.js';

interface SendingCardProps {
  study: SendingStudy;
  /** What the server says of it, once everything is there. */
  delivery: UploadSummary | undefined;
}

/** One study on its way from this device. */
export function SendingCard({ study, delivery }: SendingCardProps) {
  const { engine } = useServices();
  const [asking, setAsking] = useState(false);
  const over = ['sent', 'failed', 'cancelled'].includes(study.phase);
  const moving = study.phase === 'sending' || study.phase === 'completing';
  const { tone, words } = sendingWords(study, delivery);
  const leftOut = leftOutWords(study);
  return (
    <article className="card stack sending">
      <SendingHead
        study={study}
        moving={moving}
        onDismiss={over && study.phase !== 'failed' ? () => engine.dismiss(study.id) : undefined}
      />
      {moving && (
        <>
          <Progress
            value={study.bytesSent}
            max={study.totalBytes}
            label={`Sending ${study.patientName}`}
            tone={study.hindrance ? 'waiting' : undefined}
          />
          <p className="muted small numbers">{sendingNumbers(study)}</p>
        </>
      )}
      <p className={`sending-words tone-${tone}`}>
        <Icon name={toneIcon(tone)} /> <span>{words}</span>
      </p>
      {leftOut && (
        <p className="sending-words tone-caution">
          <Icon name={toneIcon('caution')} /> <span>{leftOut}</span>
        </p>
      )}
      <div className="row">
        {study.phase === 'failed' && (
          <button type="button" className="button button-primary" onClick={() => engine.tryAgain(study.id)}>
            Try again
          </button>
        )}
        {study.phase === 'sent' && study.uploadId && (
          <Link className="button" to={`/uploads/${study.uploadId}`}>
            See details
          </Link>
        )}
        {(!over || study.phase === 'failed') && study.phase !== 'cancelling' && (
          <button type="button" className="button" onClick={() => setAsking(true)}>
            Cancel<span className="visually-hidden"> {study.patientName}</span>
          </button>
        )}
      </div>
      {asking && (
        <CancelDialog
          patientName={study.patientName}
          onKeep={() => setAsking(false)}
          onCancel={() => {
            setAsking(false);
            void engine.cancel(study.id);
          }}
        />
      )}
    </article>
  );
}

interface SendingHeadProps {
  study: SendingStudy;
  moving: boolean;
  /** Undefined while the study has to stay on the list. */
  onDismiss: (() => void) | undefined;
}

/** Whose study it is and how far. */
function SendingHead({ study, moving, onDismiss }: SendingHeadProps) {
  return (
    <div className="sending-head">
      <div className="study-words">
        <h3 className="study-name row">
          <span>{study.patientName}</span> <LevelSign level={study.serviceLevel} />
        </h3>
        <p className="muted small">
          {study.modality} · {formatDate(study.studyDate)}
        </p>
      </div>
      {moving && (
        <strong className="sending-percent numbers">{percent(study.bytesSent, study.totalBytes)} %</strong>
      )}
      {onDismiss && (
        <button
          type="button"
          className="icon-button"
          aria-label={`Take ${study.patientName} off this list`}
          onClick={onDismiss}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

interface CancelDialogProps {
  patientName: string;
  onKeep(): void;
  onCancel(): void;
}

function CancelDialog({ patientName, onKeep, onCancel }: CancelDialogProps) {
  return (
    <Dialog
      title={`Cancel ${patientName}?`}
      onDismiss={onKeep}
      actions={
        <>
          <button type="button" className="button" onClick={onKeep}>
            Keep sending
          </button>
          <button type="button" className="button button-danger" onClick={onCancel}>
            Cancel this study
          </button>
        </>
      }
    >
      <p>
        What has arrived is removed from the server, and nothing of this study goes to the PACS. The files on
        this device stay as they are.
      </p>
    </Dialog>
  );
}
