import type { Warning } from '@relaypacs/core/contract/uploads.js';
import { Notice } from '../../ui/Notice.js';

interface WarningNoticeProps {
  title: string;
  warnings: readonly Warning[];
}

/** Doubts for a person to look at; nothing when there are none. */
export function WarningNotice({ title, warnings }: WarningNoticeProps) {
  if (warnings.length === 0) return null;
  return (
    <Notice tone="caution">
      <strong>{title}</strong>
      <ul className="warning-list">
        {warnings.map(({ code, message }) => (
          <li key={`${code} ${message}`}>{message}</li>
        ))}
      </ul>
    </Notice>
  );
}
