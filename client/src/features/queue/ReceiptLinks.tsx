import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { useState } from 'react';
import { sentenceOf } from '../../api/problem-error.js';
import type { ReceiptFormat } from '../../api/uploads.js';
import { useServices } from '../../app/services.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import { saveFile } from '../../ui/save-file.js';

/** Saves the receipt of a delivered upload: for people as PDF, for programs as JSON. */
export function ReceiptLinks({ upload }: { upload: Pick<UploadDetail, 'id' | 'status'> }) {
  const { uploads } = useServices();
  const [busy, setBusy] = useState<ReceiptFormat>();
  const [problem, setProblem] = useState<string>();
  if (upload.status !== 'delivered') return null;

  const save = async (format: ReceiptFormat) => {
    setProblem(undefined);
    setBusy(format);
    try {
      // Not named after the patient: the name would stand in the list of downloads.
      saveFile(await uploads.receipt(upload.id, format), `receipt-${upload.id}.${format}`);
    } catch (error) {
      setProblem(sentenceOf(error));
    }
    setBusy(undefined);
  };
  const button = (format: ReceiptFormat, words: string) => (
    <button
      type="button"
      className="button"
      disabled={busy !== undefined}
      aria-busy={busy === format}
      onClick={() => void save(format)}
    >
      <Icon name="download" /> {busy === format ? 'Preparing …' : words}
    </button>
  );

  return (
    <section className="card stack" aria-labelledby="receipt-heading">
      <h2 id="receipt-heading">Receipt</h2>
      <p className="muted">Signed proof of what was delivered, when, and to which PACS.</p>
      {problem && (
        <Notice tone="caution" role="alert">
          {problem}
        </Notice>
      )}
      <div className="row">
        {button('pdf', 'Receipt (PDF)')}
        {button('json', 'For programs (JSON)')}
      </div>
    </section>
  );
}
