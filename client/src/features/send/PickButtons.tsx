import { useRef } from 'react';
import { Icon } from '../../ui/Icon.js';
import { filesOfInput } from './picked-files.js';
import { usePick } from './use-pick.js';

/** Phones have no folders to choose from, although some browsers there show such a dialog. */
const CAN_PICK_FOLDERS =
  typeof HTMLInputElement !== 'undefined' &&
  'webkitdirectory' in HTMLInputElement.prototype &&
  !matchMedia('(pointer: coarse)').matches;

interface PickButtonsProps {
  /** Whether choosing is what the page is there for. */
  primary: boolean;
}

/** Buttons that open the system's file dialogs. */
export function PickButtons({ primary }: PickButtonsProps) {
  const pick = usePick();
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  const picked = (input: HTMLInputElement) => {
    if (input.files) pick(filesOfInput(input.files));
    // So that the same folder can be chosen again.
    input.value = '';
  };

  const big = primary ? 'button-big' : '';
  return (
    <div className="row pick-buttons">
      {CAN_PICK_FOLDERS && (
        <button
          type="button"
          className={`button ${primary ? 'button-primary' : ''} ${big}`}
          onClick={() => folder.current?.click()}
        >
          <Icon name="folder" /> {primary ? 'Choose a folder' : 'Add a folder'}
        </button>
      )}
      <button
        type="button"
        className={`button ${primary && !CAN_PICK_FOLDERS ? 'button-primary' : ''} ${big}`}
        onClick={() => files.current?.click()}
      >
        <Icon name="file" /> {primary ? 'Choose files' : 'Add files'}
      </button>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        data-testid="pick-files"
        onChange={(event) => picked(event.currentTarget)}
      />
      <input
        ref={(input) => {
          folder.current = input;
          // React knows no such attribute.
          input?.setAttribute('webkitdirectory', '');
        }}
        type="file"
        hidden
        data-testid="pick-folder"
        onChange={(event) => picked(event.currentTarget)}
      />
    </div>
  );
}
