import { count } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { FileButton } from './FileButton.js';
import { FileReasons } from './FileReasons.js';
import type { FoundStudy, StudyWithin } from './grouping.js';
import { DamagedImages } from './LeftOut.js';
import { onlyReason } from './left-out-words.js';

/** What a person should know of a study before it is sent, what stops it first. */
export function StudyRemarks({ study }: { study: FoundStudy }) {
  const { damaged, unopened, notTaken, repaired, patients, remarks } = study;
  const gaps = study.studies.flatMap((within) =>
    within.gaps.map((gap) => (study.studies.length > 1 ? `${within.patientName}: ${gap}` : gap)),
  );
  return (
    <>
      {study.studies
        .filter(({ mixed }) => mixed.length > 0)
        .map((within) => (
          <MixedPatients key={within.header.studyInstanceUid} study={within} alone={study.refused} />
        ))}
      {patients.length > 0 && (
        <Notice tone="caution">
          <strong>The studies are of different patients:</strong> {patients.join('; ')}. A clinical history
          goes to those of {study.patientName} only.
        </Notice>
      )}
      {gaps.length > 0 && <Gaps gaps={gaps} />}
      {damaged.length > 0 && <DamagedImages files={damaged} />}
      {unopened.length > 0 && <Unopened study={study} />}
      {remarks.map((remark) => (
        <Notice tone="caution" key={remark}>
          {remark}
        </Notice>
      ))}
      {repaired.length > 0 && (
        <Notice tone="over">
          <p>
            {count(repaired.length, 'image')} {repaired.length === 1 ? 'needs' : 'need'} a repair of the file
            header. RelayPACS makes it before {repaired.length === 1 ? 'it goes' : 'they go'} to the PACS; the
            image itself stays as it is.
          </p>
          <FileReasons files={repaired} />
        </Notice>
      )}
      {notTaken.length > 0 && (
        <Notice tone="over">
          <p>
            {count(notTaken.length, 'file')} in the archive {notTaken.length === 1 ? 'is' : 'are'} no image
            and will not go to the PACS.
          </p>
          <FileReasons files={notTaken} />
        </Notice>
      )}
    </>
  );
}

/** @param alone - the study cannot be sent at all; otherwise those beside it can */
function MixedPatients({ study, alone }: { study: StudyWithin; alone: boolean }) {
  return (
    <Notice tone="bad">
      <p>
        <strong>
          {alone ? 'This study cannot be sent' : 'One of the studies will be refused'}: its images are of
          different patients.
        </strong>{' '}
        The server refuses it, so that nobody gets another person's images.
      </p>
      <ul className="names">
        {study.mixed.map((patient) => (
          <li key={patient}>{patient}</li>
        ))}
      </ul>
      <p>Export the study again, for one patient only.</p>
    </Notice>
  );
}

/** Sentences shown at once. */
const SHOWN = 4;

function Gaps({ gaps }: { gaps: readonly string[] }) {
  return (
    <Notice tone="caution">
      <p>
        <strong>Images seem to be missing.</strong> Add them if you have them, or send the study as it is.
      </p>
      <ul className="gaps">
        {gaps.slice(0, SHOWN).map((gap) => (
          <li key={gap}>{gap}</li>
        ))}
        {gaps.length > SHOWN && <li>And in {count(gaps.length - SHOWN, 'more place')}.</li>}
      </ul>
      <FileButton
        icon="file"
        label="Add files"
        className="notice-button"
        testId="add-missing-files"
        input={{ multiple: true }}
      />
    </Notice>
  );
}

function Unopened({ study: { unopened } }: { study: FoundStudy }) {
  return (
    <Notice tone="caution">
      <p>
        <strong>{count(unopened.length, 'file')} in the archive cannot be used and will be left out.</strong>{' '}
        {onlyReason(unopened)}
      </p>
      <FileReasons files={unopened} />
    </Notice>
  );
}
