import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { useEffect, useRef, useState } from 'react';
import { ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { isUnderWay } from '../../sending/transfer.js';
import type { FileToSend } from '../../sending/transport.js';
import { count } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice, toneIcon } from '../../ui/Notice.js';
import { Progress } from '../../ui/Progress.js';
import { useStore } from '../../ui/use-store.js';
import { AddFilesButtons } from './AddFilesButtons.js';
import { CorrectionForm } from './CorrectionForm.js';
import { closingWords } from './closing-words.js';
import { correctableFields } from './correctable-fields.js';
import { doubtsOf } from './doubts.js';
import { QuestionDialog } from './QuestionDialog.js';
import { hasGone, retryHelps, statusWords, waitsForSender } from './status-sentences.js';
import { WarningNotice } from './WarningNotice.js';

/** Before delivery begins an upload can be taken back. */
const CANCELLABLE = ['created', 'uploading', 'received', 'processing'];

interface UploadStatusCardProps {
  upload: UploadDetail;
  onChange(): Promise<void>;
}

/** What has become of an upload, in words, with what can be done about it. */
export function UploadStatusCard({ upload, onChange }: UploadStatusCardProps) {
  const { uploads, engine, session } = useServices();
  const here = useStore(engine).find((study) => study.uploadId === upload.id);
  const [asking, setAsking] = useState<'cancel' | 'close' | 'sendIncomplete'>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  // The server has said that trying again cannot help.
  const [pointless, setPointless] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const isSender = session.user?.id === upload.userId;
  const mayEnd = isSender || session.user?.role === 'Admin';
  const sendingHere = here !== undefined && isUnderWay(here.phase);
  const failedHere = here?.phase === 'failed' ? here : undefined;
  const words = statusWords(upload, { sendingHere, isSender });
  const waits = waitsForSender(upload);
  const asks = waits && isSender && !sendingHere;
  const fields = correctableFields(upload);
  const canGoOn = upload.status === 'uploading' && isSender && !sendingHere && upload.filesReceived > 0;

  // What is shown must not be older than what this page does: an answer would be given to doubts of before.
  const phase = useRef(here?.phase);
  useEffect(() => {
    if (phase.current === here?.phase) return;
    phase.current = here?.phase;
    void onChange();
  }, [here?.phase, onChange]);

  /** @param onConflict - the state is another one than was thought */
  const act = async (action: () => Promise<void>, onConflict = () => {}) => {
    setAsking(undefined);
    setProblem(undefined);
    setBusy(true);
    try {
      await action();
      await onChange();
      // The button that was pressed may be gone: go on where its effect shows.
      heading.current?.focus();
    } catch (error) {
      setProblem(sentenceOf(error));
      if (error instanceof ProblemError && error.status === 409) {
        onConflict();
        // It is not what is shown here any more.
        await onChange();
      }
    }
    setBusy(false);
  };
  const cancel = () =>
    act(() => (here && here.phase !== 'sent' ? engine.cancel(here.id) : uploads.cancel(upload.id)));
  /** Goes on with what is there: files that could not be sent are not waited for any more. */
  const goOn = (call: () => Promise<void>) =>
    act(async () => {
      await call();
      if (failedHere) engine.dismiss(failedHere.id);
    });
  const add = (files: FileToSend[]) => {
    setProblem(files.length === 0 ? 'There is nothing to send among these files. Choose others.' : undefined);
    engine.addFiles(upload, files);
    if (files.length > 0) heading.current?.focus();
  };

  return (
    <section className="card stack status-card" aria-labelledby="status-heading">
      <div className={`status-head tone-${words.tone}`}>
        <Icon name={toneIcon(words.tone)} size={28} />
        <h2 id="status-heading" ref={heading} tabIndex={-1}>
          {words.label}
        </h2>
      </div>
      <p role="status">{words.sentence}</p>
      <StatusProgress upload={upload} />
      {waits && <WarningNotice title="What the checks found" warnings={doubtsOf(upload)} />}
      {failedHere && (
        <Notice tone="bad" role="alert">
          {failedHere.problem ?? 'The files could not be sent.'}
        </Notice>
      )}
      {problem && (
        <Notice tone="caution" role="alert">
          {problem}
        </Notice>
      )}
      {fields.length > 0 && !sendingHere && (
        <CorrectionForm upload={upload} fields={fields} onSaved={() => act(async () => {})} />
      )}
      <div className="row">
        {asks && (
          <>
            <button
              type="button"
              className="button button-primary"
              disabled={busy}
              onClick={() => void goOn(() => uploads.confirm(upload.id))}
            >
              <Icon name="send" /> Send as it is
            </button>
            <AddFilesButtons disabled={busy} onPick={add} />
          </>
        )}
        {failedHere && (
          <button
            type="button"
            className={`button ${asks ? '' : 'button-primary'}`}
            disabled={busy}
            onClick={() => engine.tryAgain(failedHere.id)}
          >
            Try again
          </button>
        )}
        {retryHelps(upload) && !pointless && (
          <button
            type="button"
            className={`button ${fields.length > 0 ? '' : 'button-primary'}`}
            disabled={busy}
            onClick={() =>
              void act(
                () => uploads.retry(upload.id),
                () => setPointless(upload.status === 'failed'),
              )
            }
          >
            {fields.length > 0 ? 'Retry as it is' : 'Retry'}
          </button>
        )}
        {canGoOn && (
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => setAsking('sendIncomplete')}
          >
            Go on with what has arrived
          </button>
        )}
        {mayEnd && CANCELLABLE.includes(upload.status) && !hasGone(upload) && (
          <button type="button" className="button" disabled={busy} onClick={() => setAsking('cancel')}>
            Cancel upload
          </button>
        )}
        {mayEnd && upload.status === 'failed' && (
          <button type="button" className="button" disabled={busy} onClick={() => setAsking('close')}>
            Close upload
          </button>
        )}
      </div>
      {asking === 'cancel' && (
        <QuestionDialog
          title="Cancel this upload?"
          yes="Cancel upload"
          no="Keep it"
          onYes={() => void cancel()}
          onNo={() => setAsking(undefined)}
        >
          What has arrived is removed from the server, and nothing of this study goes to the PACS.
        </QuestionDialog>
      )}
      {asking === 'close' && (
        <QuestionDialog
          title="Close this upload?"
          yes="Close upload"
          no="Keep it"
          onYes={() => void act(() => uploads.close(upload.id))}
          onNo={() => setAsking(undefined)}
        >
          {closingWords(upload)}
        </QuestionDialog>
      )}
      {asking === 'sendIncomplete' && (
        <QuestionDialog
          title="Go on without the rest?"
          yes="Go on without the rest"
          no="Wait for the rest"
          onYes={() => void goOn(() => uploads.complete(upload.id, { sendIncomplete: true }))}
          onNo={() => setAsking(undefined)}
        >
          {upload.filesReceived} of {count(upload.fileCount, 'file')} have arrived, and only these are checked
          and sent on. If another device is still sending it, wait for it.
        </QuestionDialog>
      )}
    </section>
  );
}

/** How many files have come in, and then how many images the PACS has taken; it confirms them at the end. */
function StatusProgress({ upload }: { upload: UploadDetail }) {
  const { status, filesReceived, fileCount, instances } = upload;
  if (status === 'uploading') {
    return <Progress value={filesReceived} max={fileCount} label="Files arrived" />;
  }
  if (status !== 'delivering') return null;
  const tone = upload.waitingFor === 'pacs' ? 'waiting' : undefined;
  return (
    <Progress value={instances.stored} max={instances.total} label="Images taken by the PACS" tone={tone} />
  );
}
