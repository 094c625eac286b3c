import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { useRef, useState } from 'react';
import { sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { useTargets } from '../../app/use-targets.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import { resendableStudies } from './resendable-studies.js';
import { SendAgainDialog, type SendAgainWay } from './SendAgainDialog.js';

interface SendAgainProps {
  upload: UploadDetail;
  onChange(): Promise<void>;
}

/** For administrators: has studies sent once more, or to another PACS, as long as their files are kept here. */
export function SendAgain({ upload, onChange }: SendAgainProps) {
  const { session } = useServices();
  const studies = resendableStudies(upload);
  if (session.user?.role !== 'Admin' || studies.length === 0) return null;
  return <Offer upload={upload} onChange={onChange} studies={studies} />;
}

function Offer({ upload, onChange, studies }: SendAgainProps & { studies: UploadDetail['studies'] }) {
  const { uploads } = useServices();
  const { all = [] } = useTargets();
  const [way, setWay] = useState<SendAgainWay>();
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<{ tone: 'good' | 'caution'; text: string }>();
  const heading = useRef<HTMLHeadingElement>(null);
  const isDelivered = upload.status === 'delivered';
  // To the same PACS only what it has had: what it has not got is retried.
  if (!isDelivered && all.length < 2) return null;

  const send = async (request: { target?: string; studyId?: string }) => {
    setWay(undefined);
    setBusy(true);
    try {
      await uploads.resend(upload.id, request);
      const name = all.find(({ key }) => key === request.target)?.name;
      setTold({
        tone: 'good',
        text: `Begun${name ? `, to ${name}` : ''}. How far it is stands with the study below.`,
      });
    } catch (error) {
      setTold({ tone: 'caution', text: sentenceOf(error) });
    }
    setBusy(false);
    await onChange();
    heading.current?.focus();
  };

  return (
    <section className="card stack" aria-labelledby="send-again-heading">
      <h2 id="send-again-heading" ref={heading} tabIndex={-1}>
        {isDelivered ? 'Send again' : 'Another PACS'}
      </h2>
      <p>
        {isDelivered
          ? 'The files are still kept here. If the study was deleted in the PACS, or is wanted in another one, it can be sent once more. What was delivered stays delivered.'
          : 'If this PACS stays away or does not take the study, it can go to another one.'}
      </p>
      {told && (
        <Notice tone={told.tone} role={told.tone === 'good' ? 'status' : 'alert'}>
          {told.text}
        </Notice>
      )}
      <div className="row">
        {isDelivered && (
          <button type="button" className="button" disabled={busy} onClick={() => setWay('again')}>
            <Icon name="send" /> Send again
          </button>
        )}
        {all.length > 1 && (
          <button type="button" className="button" disabled={busy} onClick={() => setWay('elsewhere')}>
            Send to another PACS
          </button>
        )}
      </div>
      {way && (
        <SendAgainDialog
          way={way}
          studies={studies}
          targets={all}
          onSend={(request) => void send(request)}
          onDismiss={() => setWay(undefined)}
        />
      )}
    </section>
  );
}
