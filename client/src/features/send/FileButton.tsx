import { type InputHTMLAttributes, useRef } from 'react';
import { Icon, type IconName } from '../../ui/Icon.js';
import { filesOfInput } from './picked-files.js';
import { usePick } from './use-pick.js';

interface FileButtonProps {
  icon: IconName;
  label: string;
  className?: string;
  testId: string;
  /** What sort of dialog the system is to open. */
  input?: InputHTMLAttributes<HTMLInputElement>;
  /** Asks for a folder instead of files. */
  folder?: boolean;
}

/** A button that opens one of the system's file dialogs, and has what is chosen there looked into. */
export function FileButton({ icon, label, className = '', testId, input, folder = false }: FileButtonProps) {
  const pick = usePick();
  const chooser = useRef<HTMLInputElement>(null);

  const picked = (element: HTMLInputElement) => {
    if (element.files) pick(filesOfInput(element.files));
    // So that the same folder can be chosen again.
    element.value = '';
  };

  return (
    <>
      <button type="button" className={`button ${className}`} onClick={() => chooser.current?.click()}>
        <Icon name={icon} /> {label}
      </button>
      <input
        {...input}
        ref={(element) => {
          chooser.current = element;
          // React knows no such attribute.
          if (folder) element?.setAttribute('webkitdirectory', '');
        }}
        type="file"
        hidden
        data-testid={testId}
        onChange={(event) => picked(event.currentTarget)}
      />
    </>
  );
}
