import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import { DropArea } from './DropArea.js';
import { PickButtons } from './PickButtons.js';

interface PickerProps {
  /** Set when something else stands above: the area is smaller then. */
  heading: string | undefined;
  problem: string | undefined;
}

/** Where it begins: nothing has been picked yet. */
export function Picker({ heading, problem }: PickerProps) {
  return (
    <section className="stack" aria-label={heading ?? 'Choose images'}>
      {heading && <h2>{heading}</h2>}
      {problem && (
        <Notice tone="bad" role="alert">
          {problem}
        </Notice>
      )}
      <DropArea className={`card drop-area ${heading ? 'drop-area-small' : ''}`}>
        <span className="drop-sign">
          <Icon name="send" size={32} />
        </span>
        <p className="drop-words muted">
          <span className="only-mouse">Drop a folder, a ZIP file, images or photos here, or</span>
          <span className="only-touch">DICOM images or ZIP files from this device, or photos</span>
        </p>
        <PickButtons primary />
      </DropArea>
    </section>
  );
}
