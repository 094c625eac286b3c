import { useServices } from '../../app/services.js';
import type { SendingStudy } from '../../sending/transfer.js';
import { Dialog } from '../../ui/Dialog.js';
import { formatDate, formatMoment } from '../../ui/format.js';
import { statusLabel } from '../queue/status-sentences.js';

/** Asks whether a study that the server has seen before is to be sent again (FR-UPLOAD-05). */
export function DuplicateDialog({ study }: { study: SendingStudy }) {
  const { engine } = useServices();
  const { earlier } = study;
  return (
    <Dialog
      key={study.id}
      title="Send this study again?"
      onDismiss={() => engine.answerDuplicate(study.id, false)}
      actions={
        <>
          <button type="button" className="button" onClick={() => engine.answerDuplicate(study.id, false)}>
            Do not send
          </button>
          <button
            type="button"
            className="button button-primary"
            onClick={() => engine.answerDuplicate(study.id, true)}
          >
            Send again
          </button>
        </>
      }
    >
      <p>
        <strong>{study.patientName}</strong>
        <br />
        {study.modality} · {formatDate(study.studyDate)}
      </p>
      <p>
        A study of this patient with the same date and modality was sent before
        {earlier?.createdAt ? `: ${formatMoment(earlier.createdAt)}` : ''}
        {earlier ? ` (${statusLabel(earlier.status).toLowerCase()}).` : '.'} Send this one only if it is
        another study, or if something was missing.
      </p>
    </Dialog>
  );
}
