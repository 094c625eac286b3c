import { useId } from 'react';
import { useServices } from '../../app/services.js';
import { formatDate, formatPatientName } from '../../ui/format.js';
import type { DetailField, StudyDetails } from './announcement.js';
import type { DraftStudy } from './draft.js';
import { DateField, TextField } from './fields.js';
import { LevelAndHistory } from './LevelAndHistory.js';
import { PhotosBeside } from './PhotosBeside.js';
import { StudyHead } from './StudyHead.js';
import { StudyRemarks } from './StudyRemarks.js';
import { archiveWords, cardCounts, imageCounts, studyFacts } from './study-words.js';

interface StudyCardProps {
  study: DraftStudy;
  errors: Partial<Record<DetailField, string>>;
}

/** One study found among the picked files, with what has to be said about it before it is sent. */
export function StudyCard({ study, errors }: StudyCardProps) {
  const { draft } = useServices();
  const id = useId();
  const { header, details, included, refused, studies } = study;
  const single = studies.length === 1;
  const facts = single ? studyFacts(study) : '';
  const archive = archiveWords(study);
  const name = formatPatientName(details.patientName) || 'Patient without a name';
  const change = (more: Partial<StudyDetails>) => draft.describe(study.key, more);

  return (
    <article className={`card stack study ${included || refused ? '' : 'study-excluded'}`}>
      <StudyHead study={study} id={id} name={single ? name : `${studies.length} studies in one archive`}>
        {facts && <p>{facts}</p>}
        <p className="muted small">
          {cardCounts(study)}
          {single && header.patientId ? ` · ID ${header.patientId}` : ''}
          {single && header.patientBirthDate ? ` · born ${formatDate(header.patientBirthDate)}` : ''}
        </p>
        {archive && <p className="muted small archive-name">{archive}</p>}
      </StudyHead>
      {!single && <StudiesWithin study={study} />}
      {(included || refused) && <StudyRemarks study={study} />}
      {included && (
        <>
          {study.photosBeside > 0 && <PhotosBeside study={study} />}
          <MissingFields study={study} errors={errors} onChange={change} />
          <LevelAndHistory id={id} details={details} error={errors.clinicalHistory} onChange={change} />
        </>
      )}
    </article>
  );
}

/** The studies of an archive: it is sent as it is, and all of them with it. */
function StudiesWithin({ study }: { study: DraftStudy }) {
  return (
    <ul className="studies-within">
      {study.studies.map((within) => (
        <li key={within.header.studyInstanceUid ?? within.patientName}>
          <strong>{within.patientName || 'Patient without a name'}</strong>
          <span>{studyFacts(within)}</span>
          <span className="muted small">{imageCounts(within)}</span>
        </li>
      ))}
    </ul>
  );
}

interface MissingFieldsProps extends StudyCardProps {
  onChange(more: Partial<StudyDetails>): void;
}

/** Asks for what the images do not say and the PACS needs. */
function MissingFields({ study, errors, onChange }: MissingFieldsProps) {
  const { header, details } = study;
  const nameMissing = study.patientName === '' || errors.patientName !== undefined;
  const dateMissing = header.studyDate === undefined || errors.studyDate !== undefined;
  const modalityMissing = header.modality === undefined || errors.modality !== undefined;
  if (!nameMissing && !dateMissing && !modalityMissing) return null;
  return (
    <fieldset className="missing">
      <legend className="missing-legend">The images do not say this. Please fill it in.</legend>
      {nameMissing && (
        <TextField
          label="Patient name"
          hint="Family name, given name"
          error={errors.patientName}
          maxLength={256}
          required
          value={details.patientName}
          onChange={(patientName) => onChange({ patientName })}
        />
      )}
      {dateMissing && (
        <DateField
          label="Study date"
          error={errors.studyDate}
          required
          value={details.studyDate}
          onChange={(studyDate) => onChange({ studyDate })}
        />
      )}
      {modalityMissing && (
        <TextField
          label="Modality"
          hint="CT, MR, US, DX …"
          error={errors.modality}
          maxLength={16}
          required
          capitals
          value={details.modality}
          onChange={(modality) => onChange({ modality })}
        />
      )}
    </fieldset>
  );
}
