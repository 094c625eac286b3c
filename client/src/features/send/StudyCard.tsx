import { useId } from 'react';
import { useServices } from '../../app/services.js';
import { Field } from '../../ui/Field.js';
import { count, formatBytes, formatDate, formatPatientName } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { LevelChoice } from '../../ui/ServiceLevel.js';
import type { DetailField, StudyDetails } from './announcement.js';
import type { DraftStudy } from './draft.js';
import { DamagedImages } from './LeftOut.js';

interface StudyCardProps {
  study: DraftStudy;
  errors: Partial<Record<DetailField, string>>;
}

/** One study found among the picked files, with what has to be said about it before it is sent. */
export function StudyCard({ study, errors }: StudyCardProps) {
  const { draft } = useServices();
  const id = useId();
  const { header, details, included } = study;
  const facts = [
    study.modalities.join(', '),
    header.studyDate ? formatDate(header.studyDate) : '',
    header.studyDescription ?? '',
  ].filter((fact) => fact !== '');
  const name = formatPatientName(details.patientName) || 'Patient without a name';
  const change = (more: Partial<StudyDetails>) => draft.describe(study.key, more);

  return (
    <article className={`card stack study ${included ? '' : 'study-excluded'}`}>
      <div className="study-head">
        <input
          type="checkbox"
          id={id}
          className="study-check"
          aria-label={`Send ${name}`}
          checked={included}
          onChange={(event) => draft.include(study.key, event.target.checked)}
        />
        <div className="study-words">
          <h3 className="study-name">
            <label htmlFor={id}>{name}</label>
          </h3>
          {facts.length > 0 && <p>{facts.join(' · ')}</p>}
          <p className="muted small">
            {count(study.seriesCount, 'series', 'series')}, {count(study.files.length, 'image')},{' '}
            {formatBytes(study.totalBytes)}
            {header.patientId ? ` · ID ${header.patientId}` : ''}
            {header.patientBirthDate ? ` · born ${formatDate(header.patientBirthDate)}` : ''}
          </p>
        </div>
      </div>
      {included && (
        <>
          {study.patients.length > 0 && (
            <Notice tone="bad">
              <strong>These images name different patients:</strong> {study.patients.join('; ')}. Send them
              only if you are sure that they belong together.
            </Notice>
          )}
          {study.damaged.length > 0 && <DamagedImages files={study.damaged} />}
          <MissingFields study={study} errors={errors} onChange={change} />
          <div className="study-fields">
            <LevelChoice
              name={`level-${id}`}
              value={details.serviceLevel}
              onChange={(serviceLevel) => change({ serviceLevel })}
            />
            <Field
              label="Clinical history"
              hint="Kept with this study in RelayPACS. Optional."
              error={errors.clinicalHistory}
            >
              {(control) => (
                <textarea
                  {...control}
                  className="input"
                  rows={2}
                  maxLength={10_000}
                  value={details.clinicalHistory}
                  onChange={(event) => change({ clinicalHistory: event.target.value })}
                />
              )}
            </Field>
          </div>
        </>
      )}
    </article>
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
        <Field label="Patient name" hint="Family name, given name" error={errors.patientName}>
          {(control) => (
            <input
              {...control}
              className="input"
              autoComplete="off"
              maxLength={256}
              required
              value={details.patientName}
              onChange={(event) => onChange({ patientName: event.target.value })}
            />
          )}
        </Field>
      )}
      {dateMissing && (
        <Field label="Study date" error={errors.studyDate}>
          {(control) => (
            <input
              {...control}
              className="input"
              type="date"
              max={new Date().toISOString().slice(0, 10)}
              required
              value={details.studyDate}
              onChange={(event) => onChange({ studyDate: event.target.value })}
            />
          )}
        </Field>
      )}
      {modalityMissing && (
        <Field label="Modality" hint="CT, MR, US, DX …" error={errors.modality}>
          {(control) => (
            <input
              {...control}
              className="input"
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              maxLength={16}
              required
              value={details.modality}
              onChange={(event) => onChange({ modality: event.target.value })}
            />
          )}
        </Field>
      )}
    </fieldset>
  );
}
