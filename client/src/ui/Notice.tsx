import type { ReactNode } from 'react';
import { Icon, type IconName } from './Icon.js';

const ICONS = {
  good: 'checkCircle',
  caution: 'alert',
  bad: 'closeCircle',
  waiting: 'clock',
  moving: 'moving',
  over: 'minusCircle',
} as const satisfies Record<string, IconName>;

export type NoticeTone = keyof typeof ICONS;

/** The sign that stands for a tone beside its words: colour alone says nothing to many people. */
export function toneIcon(tone: NoticeTone): IconName {
  return ICONS[tone];
}

interface NoticeProps {
  tone: NoticeTone;
  children: ReactNode;
  /** `alert` is read out at once, `status` when the screen reader has finished its sentence. */
  role?: 'alert' | 'status';
}

/** A message in a coloured box with its sign. */
export function Notice({ tone, children, role }: NoticeProps) {
  return (
    <div className={`notice notice-${tone}`} role={role}>
      <Icon name={ICONS[tone]} size={22} />
      <div>{children}</div>
    </div>
  );
}
