import type { Study, TargetList } from '@relaypacs/core/contract/uploads.js';
import { useState } from 'react';
import { Dialog } from '../../ui/Dialog.js';
import { formatPatientName } from '../../ui/format.js';
import { ChoiceField } from '../send/fields.js';
import { studyName } from './doubts.js';

/** To the PACS it went to before, or to another one. */
export type SendAgainWay = 'again' | 'elsewhere';

interface SendAgainDialogProps {
  way: SendAgainWay;
  /** Those that can be sent. */
  studies: readonly Study[];
  targets: TargetList['items'];
  onSend(request: { target?: string; studyId?: string }): void;
  onDismiss(): void;
}

/** Asks which study goes where before it is sent. */
export function SendAgainDialog({ way, studies, targets, onSend, onDismiss }: SendAgainDialogProps) {
  const [studyId, setStudyId] = useState('');
  const chosen = studies.filter(({ id }) => studyId === '' || id === studyId);
  const now = new Set(chosen.map(({ target }) => target));
  // Where all of it is or goes anyway is no other PACS.
  const others = targets.filter(({ key }) => !now.has(key) || now.size > 1);
  const [wanted, setWanted] = useState('');
  const target = others.find(({ key }) => key === wanted) ?? others[0];
  const names = [...new Set(chosen.map(({ targetName }) => targetName))].join(' and ');
  const all = studies.length === 2 ? 'both studies' : `all ${studies.length} studies`;
  const what = studies.length > 1 && studyId === '' ? all : 'the study';

  const send = () =>
    onSend({
      ...(way === 'elsewhere' && target ? { target: target.key } : {}),
      ...(studyId === '' ? {} : { studyId }),
    });

  return (
    <Dialog
      title={way === 'again' ? 'Send again?' : 'Send to another PACS?'}
      onDismiss={onDismiss}
      actions={
        <>
          <button type="button" className="button" onClick={onDismiss}>
            Do not send
          </button>
          <button
            type="button"
            className="button button-primary"
            disabled={way === 'elsewhere' && !target}
            onClick={send}
          >
            {way === 'again' ? 'Send again' : `Send to ${target?.name ?? 'another PACS'}`}
          </button>
        </>
      }
    >
      {studies.length > 1 && (
        <ChoiceField
          label="Which study"
          error={undefined}
          choices={[
            ['', `All studies (${studies.length})`],
            ...studies.map((study) => [study.id, labelOf(study)] as const),
          ]}
          value={studyId}
          onChange={setStudyId}
        />
      )}
      {way === 'elsewhere' && (
        <ChoiceField
          label="Send to"
          error={undefined}
          choices={others.map(({ key, name }) => [key, name] as const)}
          value={target?.key ?? ''}
          onChange={setWanted}
        />
      )}
      <p>
        {way === 'again'
          ? `This sends ${what} to ${names} once more. What that still has with the same contents is not stored twice.`
          : `This sends ${what} to ${target?.name ?? 'another PACS'}. What ${names} has stays there.`}
      </p>
    </Dialog>
  );
}

function labelOf(study: Study): string {
  const patient = formatPatientName(study.patientName ?? '');
  return [patient, studyName(study)].filter(Boolean).join(' · ');
}
