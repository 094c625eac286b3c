import type { ReactNode } from 'react';
import { Dialog } from '../../ui/Dialog.js';

interface QuestionDialogProps {
  title: string;
  children: ReactNode;
  /** Words of the button that does it. */
  yes: string;
  /** Words of the button that changes nothing. */
  no: string;
  onYes(): void;
  onNo(): void;
}

/** Asks before something that cannot be undone. */
export function QuestionDialog({ title, children, yes, no, onYes, onNo }: QuestionDialogProps) {
  return (
    <Dialog
      title={title}
      onDismiss={onNo}
      actions={
        <>
          <button type="button" className="button" onClick={onNo}>
            {no}
          </button>
          <button type="button" className="button button-danger" onClick={onYes}>
            {yes}
          </button>
        </>
      }
    >
      <p>{children}</p>
    </Dialog>
  );
}
