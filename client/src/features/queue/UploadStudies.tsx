import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { count, formatDate, formatPatientName } from '../../ui/format.js';
import { StudyDeliveries } from './StudyDeliveries.js';
import { isToldAbove, waitsForSender } from './status-sentences.js';
import { contentWords } from './study-words.js';
import { WarningNotice } from './WarningNotice.js';

/** The studies that were found in what arrived. */
export function UploadStudies({ upload }: { upload: UploadDetail }) {
  const { studies: deliveries } = upload;
  const studies = deliveries.filter(({ resendOf }) => resendOf === null);
  if (studies.length === 0) return null;
  return (
    <section className="card stack" aria-labelledby="studies-heading">
      <h2 id="studies-heading">
        {studies.length === 1 ? 'The study' : count(studies.length, 'study', 'studies')}
      </h2>
      <ul className="stack">
        {studies.map((study) => (
          <li key={study.id} className="study-line">
            <p>
              <strong>{formatPatientName(study.patientName ?? '') || 'No patient name'}</strong>
              {study.patientId ? ` · ID ${study.patientId}` : ''}
              {study.patientBirthDate ? ` · born ${formatDate(study.patientBirthDate)}` : ''}
            </p>
            <p>
              {[
                study.modalities.join(', '),
                study.studyDate && formatDate(study.studyDate),
                study.studyDescription,
              ]
                .filter(Boolean)
                .join(' · ')}
            </p>
            <p className="muted small">{contentWords(study)}</p>
            <StudyDeliveries
              study={study}
              deliveries={deliveries}
              isTold={(sentence) => isToldAbove(upload, sentence)}
            />
            {/* While it waits for an answer they stand where the answer is given. */}
            {!waitsForSender(upload) && <WarningNotice title="Please check" warnings={study.warnings} />}
            <p className="uid muted small">Study Instance UID {study.studyInstanceUid}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
