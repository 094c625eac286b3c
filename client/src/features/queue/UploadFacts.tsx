import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { count, formatBytes, formatDate, formatMoment } from '../../ui/format.js';
import { levelName } from '../../ui/ServiceLevel.js';

const SEX: Record<string, string> = { M: 'Male', F: 'Female', O: 'Other' };

/** What was said about the study when it was sent. */
export function UploadFacts({ upload }: { upload: UploadDetail }) {
  const facts: Array<[string, string | null]> = [
    ['Patient ID', upload.patientId],
    ['Date of birth', upload.patientBirthDate && formatDate(upload.patientBirthDate)],
    ['Sex', upload.patientSex && (SEX[upload.patientSex] ?? upload.patientSex)],
    ['Service level', levelName(upload.serviceLevel)],
    ['Size', `${count(upload.fileCount, 'file')}, ${formatBytes(upload.totalBytes)}`],
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
