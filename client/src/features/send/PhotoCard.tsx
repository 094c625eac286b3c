import { useId } from 'react';
import { useServices } from '../../app/services.js';
import { formatPatientName } from '../../ui/format.js';
import type { DetailField, StudyDetails } from './announcement.js';
import type { DraftStudy } from './draft.js';
import { EarlierStudyChoice } from './EarlierStudyChoice.js';
import { ChoiceField, DateField, TextField } from './fields.js';
import { LevelAndHistory } from './LevelAndHistory.js';
import { PhotoStrip } from './PhotoStrip.js';
import { StudyHead } from './StudyHead.js';
import { StudyRemarks } from './StudyRemarks.js';
import { archiveWords, cardCounts } from './study-words.js';

interface PhotoCardProps {
  study: DraftStudy;
  errors: Partial<Record<DetailField, string>>;
}

/** Photos that become a study of their own, or are added to one sent before. */
export function PhotoCard({ study, errors }: PhotoCardProps) {
  const { draft } = useServices();
  const id = useId();
  const { details, included, earlier } = study;
  const archive = archiveWords(study);
  const name = formatPatientName(earlier?.patientName ?? details.patientName);
  const change = (more: Partial<StudyDetails>) => draft.describe(study.key, more);

  return (
    <article className={`card stack study ${included ? '' : 'study-excluded'}`}>
      <StudyHead study={study} id={id} name={name || 'Photos'}>
        <p className="muted small">{cardCounts(study)}</p>
        {archive && <p className="muted small archive-name">{archive}</p>}
      </StudyHead>
      {included && (
        <>
          <PhotoStrip photos={study.photos} />
          <StudyRemarks study={study} />
          <EarlierStudyChoice earlier={earlier} onChoose={(chosen) => draft.addTo(study.key, chosen)} />
          <PhotoFields details={details} errors={errors} identity={earlier === undefined} onChange={change} />
          <LevelAndHistory id={id} details={details} error={errors.clinicalHistory} onChange={change} />
        </>
      )}
    </article>
  );
}

/** What the pictures are filed as; a photographed film is a picture, too, and no X-ray a computer could measure in. */
const MODALITIES = [
  ['XC', 'Photo'],
  ['OT', 'Screenshot, scan or other'],
] as const;

const SEXES = [
  ['', 'Not said'],
  ['F', 'Female'],
  ['M', 'Male'],
  ['O', 'Other'],
] as const;

interface PhotoFieldsProps {
  details: StudyDetails;
  errors: Partial<Record<DetailField, string>>;
  /** Asks whose study it is as well: nothing else says so. */
  identity: boolean;
  onChange(more: Partial<StudyDetails>): void;
}

/** What a DICOM image would say itself. */
function PhotoFields({ details, errors, identity, onChange }: PhotoFieldsProps) {
  const kind = (
    <ChoiceField
      label="Kind of picture"
      error={errors.modality}
      required
      choices={MODALITIES}
      value={details.modality}
      onChange={(modality) => onChange({ modality })}
    />
  );
  if (!identity) return <div className="photo-fields">{kind}</div>;
  return (
    <div className="photo-fields">
      <TextField
        label="Patient name"
        hint="Family name, given name"
        error={errors.patientName}
        maxLength={256}
        required
        value={details.patientName}
        onChange={(patientName) => onChange({ patientName })}
      />
      <DateField
        label="Study date"
        hint="When the pictures were taken"
        error={errors.studyDate}
        required
        value={details.studyDate}
        onChange={(studyDate) => onChange({ studyDate })}
      />
      {kind}
      <TextField
        label="Patient ID"
        hint="As in your hospital. Optional."
        error={errors.patientId}
        maxLength={64}
        value={details.patientId}
        onChange={(patientId) => onChange({ patientId })}
      />
      <DateField
        label="Date of birth"
        hint="Optional"
        error={errors.patientBirthDate}
        value={details.patientBirthDate}
        onChange={(patientBirthDate) => onChange({ patientBirthDate })}
      />
      <ChoiceField
        label="Sex"
        hint="Optional"
        error={errors.patientSex}
        choices={SEXES}
        value={details.patientSex}
        onChange={(patientSex) => onChange({ patientSex })}
      />
      <div className="wide-field">
        <TextField
          label="Description"
          hint="What the pictures show, such as “Wound, left hand”. Optional."
          error={errors.studyDescription}
          maxLength={64}
          value={details.studyDescription}
          onChange={(studyDescription) => onChange({ studyDescription })}
        />
      </div>
    </div>
  );
}
