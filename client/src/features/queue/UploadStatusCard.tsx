import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { useState } from 'react';
import { ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { isUnderWay } from '../../sending/transfer.js';
import { Dialog } from '../../ui/Dialog.js';
import { Icon } from '../../ui/Icon.js';
import { Notice, toneIcon } from '../../ui/Notice.js';
import { Progress } from '../../ui/Progress.js';
import { useStore } from '../../ui/use-store.js';
import { statusWords } from './status-sentences.js';

/** Before delivery begins an upload can be taken back. */
const CANCELLABLE = ['created', 'uploading', 'received', 'processing'];

interface UploadStatusCardProps {
  upload: UploadDetail;
  onChange(): Promise<void>;
}

/** What has become of an upload, in words, with what can be done about it. */
export function UploadStatusCard({ upload, onChange }: UploadStatusCardProps) {
  const { uploads, engine } = useServices();
  const here = useStore(engine).find((study) => study.uploadId === upload.id);
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  // The server has said that trying again cannot help.
  const [pointless, setPointless] = useState(false);
  const words = statusWords(upload, here !== undefined && isUnderWay(here.phase));

  const act = async (action: () => Promise<void>) => {
    setAsking(false);
    setProblem(undefined);
    setBusy(true);
    try {
      await action();
      await onChange();
    } catch (error) {
      setProblem(sentenceOf(error));
      if (error instanceof ProblemError && error.status === 409) setPointless(true);
    }
    setBusy(false);
  };
  const cancel = () =>
    act(() => (here && here.phase !== 'sent' ? engine.cancel(here.id) : uploads.cancel(upload.id)));

  return (
    <section className="card stack status-card" aria-labelledby="status-heading">
      <div className={`status-head tone-${words.tone}`}>
        <Icon name={toneIcon(words.tone)} size={28} />
        <h2 id="status-heading">{words.label}</h2>
      </div>
      <p role="status">{words.sentence}</p>
      <StatusProgress upload={upload} />
      {problem && (
        <Notice tone="caution" role="alert">
          {problem}
        </Notice>
      )}
      <div className="row">
        {upload.status === 'failed' && !pointless && (
          <button
            type="button"
            className="button button-primary"
            disabled={busy}
            onClick={() => void act(() => uploads.retry(upload.id))}
          >
            Retry
          </button>
        )}
        {CANCELLABLE.includes(upload.status) && (
          <button type="button" className="button" disabled={busy} onClick={() => setAsking(true)}>
            Cancel upload
          </button>
        )}
      </div>
      {asking && (
        <Dialog
          title="Cancel this upload?"
          onDismiss={() => setAsking(false)}
          actions={
            <>
              <button type="button" className="button" onClick={() => setAsking(false)}>
                Keep it
              </button>
              <button type="button" className="button button-danger" onClick={() => void cancel()}>
                Cancel upload
              </button>
            </>
          }
        >
          <p>What has arrived is removed from the server, and nothing of this study goes to the PACS.</p>
        </Dialog>
      )}
    </section>
  );
}

/** How many files have come in, and then how many images the PACS has confirmed. */
function StatusProgress({ upload }: { upload: UploadDetail }) {
  const { status, filesReceived, fileCount, instances } = upload;
  if (status === 'uploading') {
    return <Progress value={filesReceived} max={fileCount} label="Files arrived" />;
  }
  if (status !== 'delivering') return null;
  const tone = upload.waitingFor === 'pacs' ? 'waiting' : undefined;
  return <Progress value={instances.verified} max={instances.total} label="Images confirmed" tone={tone} />;
}
