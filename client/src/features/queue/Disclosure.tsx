import type { ReactNode } from 'react';
import { Icon } from '../../ui/Icon.js';

interface DisclosureProps {
  summary: ReactNode;
  children: ReactNode;
  /** Whether it is open to begin with. */
  open?: boolean;
}

/** A card that is looked into on demand. */
export function Disclosure({ summary, children, open = false }: DisclosureProps) {
  return (
    <details className="disclosure" open={open}>
      <summary>
        <Icon name="chevron" size={18} /> <span>{summary}</span>
      </summary>
      <div className="card stack">{children}</div>
    </details>
  );
}
