import { lazy, Suspense } from 'react';
import { useServices } from '../../app/services.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { SkeletonCards } from '../../ui/Skeleton.js';
import { useStore } from '../../ui/use-store.js';
import { Picker } from './Picker.js';
import { ReadingFiles } from './ReadingFiles.js';
import { SendingList } from './SendingList.js';
import './send.css';

// The check of what is announced brings the contract's schemas with it.
const Review = lazy(async () => ({ default: (await import('./Review.js')).Review }));

/** The home screen: pick, look, send; and how far the sending is. */
export function SendPage() {
  const { draft, engine } = useServices();
  const { reading, studies, damaged, others, problem } = useStore(draft);
  const sending = useStore(engine);
  const picked = studies.length + damaged.length + others.length > 0;
  return (
    <div className="stack-large">
      <div className="stack">
        <PageHeading title="Send studies" />
        {!picked && sending.length === 0 && (
          <p className="muted">
            Choose the images of one or more studies. They are checked on this device first; nothing is sent
            before you say so.
          </p>
        )}
      </div>
      <SendingList />
      {reading ? (
        <ReadingFiles done={reading.done} total={reading.total} />
      ) : picked ? (
        <Suspense fallback={<SkeletonCards cards={1} />}>
          <Review />
        </Suspense>
      ) : (
        <Picker heading={sending.length > 0 ? 'Send more studies' : undefined} problem={problem} />
      )}
    </div>
  );
}
