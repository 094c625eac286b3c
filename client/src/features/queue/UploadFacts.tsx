import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { formatDate, formatMoment } from '../../ui/format.js';
import { levelName } from '../../ui/ServiceLevel.js';
import { sizeWords } from './size-words.js';

const SEX: Record<string, string> = { M: 'Male', F: 'Female', O: 'Other' };

/** What was said about the study when it was sent. */
export function UploadFacts({ upload }: { upload: UploadDetail }) {
  const facts: Array<[string, string | null]> = [
    ['Patient ID', upload.patientId],
    ['Date of birth', upload.patientBirthDate && formatDate(upload.patientBirthDate)],
    ['Sex', upload.patientSex && (SEX[upload.patientSex] ?? upload.patientSex)],
    ['Service level', levelName(upload.serviceLevel)],
    ['Size', sizeWords(upload)],
    ['Sent', formatMoment(upload.createdAt)],
    ['Clinical history', upload.clinicalHistory],
    ['Upload number', upload.id],
  ];
  return (
    <section className="card stack" aria-labelledby="facts-heading">
      <h2 id="facts-heading">What was sent</h2>
      <dl className="facts">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  );
}
