import { useServices } from '../../app/services.js';
import type { EarlierUpload, SendingStudy } from '../../sending/transfer.js';
import { Dialog } from '../../ui/Dialog.js';
import { formatDate } from '../../ui/format.js';
import { useSendingHere } from '../queue/use-sending-here.js';
import { duplicateWords } from './duplicate-words.js';

interface DuplicateDialogProps {
  study: SendingStudy;
  earlier: EarlierUpload;
}

/** Asks what to do with a study that the server has seen before (FR-UPLOAD-05), or has half of. */
export function DuplicateDialog({ study, earlier }: DuplicateDialogProps) {
  const { engine } = useServices();
  const { kind, title, sentence } = duplicateWords(earlier, useSendingHere(earlier.id));
  const safeFirst = kind === 'sent' || kind === 'underWay';
  const doNotSend = () => engine.answerDuplicate(study.id, 'doNotSend');
  return (
    <Dialog
      title={title}
      onDismiss={doNotSend}
      actions={
        <>
          <button type="button" className={`button ${safeFirst ? 'button-primary' : ''}`} onClick={doNotSend}>
            Do not send
          </button>
          <button
            type="button"
            className={`button ${kind === 'differs' ? 'button-primary' : ''}`}
            onClick={() => engine.answerDuplicate(study.id, 'new')}
          >
            {kind === 'sent' ? 'Send again' : 'Send as a new upload'}
          </button>
          {kind === 'unfinished' && (
            <button
              type="button"
              className="button button-primary"
              onClick={() => engine.answerDuplicate(study.id, 'continue')}
            >
              Continue
            </button>
          )}
        </>
      }
    >
      <p>
        <strong>{study.patientName}</strong>
        <br />
        {study.modality} · {formatDate(study.studyDate)}
      </p>
      <p>{sentence}</p>
    </Dialog>
  );
}
