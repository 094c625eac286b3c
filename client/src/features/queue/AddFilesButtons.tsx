import { useRef } from 'react';
import { newClientId } from '../../sending/new-client-id.js';
import type { FileToSend } from '../../sending/transport.js';
import { Icon } from '../../ui/Icon.js';
import { filesOfInput } from '../send/picked-files.js';

/** Phones have no folders to choose from, although some browsers there show such a dialog. */
const CAN_PICK_FOLDERS =
  typeof HTMLInputElement !== 'undefined' &&
  'webkitdirectory' in HTMLInputElement.prototype &&
  !matchMedia('(pointer: coarse)').matches;

interface AddFilesButtonsProps {
  disabled: boolean;
  /** @param files - empty when only what systems leave in folders was chosen */
  onPick(files: FileToSend[]): void;
}

/** Buttons that open the system's file dialogs for what is still missing of an upload. */
export function AddFilesButtons({ disabled, onPick }: AddFilesButtonsProps) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  const picked = (input: HTMLInputElement) => {
    if (input.files && input.files.length > 0) onPick(filesToSend(input.files));
    // So that the same files can be chosen again.
    input.value = '';
  };

  return (
    <>
      <button type="button" className="button" disabled={disabled} onClick={() => files.current?.click()}>
        <Icon name="file" /> Add files
      </button>
      {CAN_PICK_FOLDERS && (
        <button type="button" className="button" disabled={disabled} onClick={() => folder.current?.click()}>
          <Icon name="folder" /> Add a folder
        </button>
      )}
      <input
        ref={files}
        type="file"
        multiple
        hidden
        data-testid="add-files"
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
        data-testid="add-folder"
        onChange={(event) => picked(event.currentTarget)}
      />
    </>
  );
}

function filesToSend(list: FileList): FileToSend[] {
  return filesOfInput(list).map(({ file, path }) => ({
    clientId: newClientId(),
    blob: file,
    name: file.name,
    relativePath: path,
  }));
}
