import { FileButton } from './FileButton.js';

/** Phones have no folders to choose from, although some browsers there show such a dialog. */
const CAN_PICK_FOLDERS =
  typeof HTMLInputElement !== 'undefined' &&
  'webkitdirectory' in HTMLInputElement.prototype &&
  !matchMedia('(pointer: coarse)').matches;

interface PickButtonsProps {
  /** Whether choosing is what the page is there for. */
  primary: boolean;
}

/** Buttons that open the system's file dialogs, and the camera. */
export function PickButtons({ primary }: PickButtonsProps) {
  const big = primary ? 'button-big' : '';
  return (
    <div className="row pick-buttons">
      {CAN_PICK_FOLDERS && (
        <FileButton
          icon="folder"
          label={primary ? 'Choose a folder' : 'Add a folder'}
          className={`${primary ? 'button-primary' : ''} ${big}`}
          testId="pick-folder"
          folder
        />
      )}
      <FileButton
        icon="file"
        label={primary ? 'Choose files' : 'Add files'}
        className={`${primary && !CAN_PICK_FOLDERS ? 'button-primary' : ''} ${big}`}
        testId="pick-files"
        input={{ multiple: true }}
      />
      <FileButton
        icon="camera"
        label="Take a photo"
        className={`only-touch-flex ${big}`}
        testId="take-photo"
        input={{ accept: 'image/*', capture: 'environment' }}
      />
    </div>
  );
}
