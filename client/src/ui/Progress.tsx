import { percent } from './format.js';

interface ProgressProps {
  value: number;
  max: number;
  label: string;
  /** `waiting`: it does not move at the moment. */
  tone?: 'waiting' | undefined;
}

/** A bar for how far something is. Its text stands beside it; the label is for screen readers. */
export function Progress({ value, max, label, tone }: ProgressProps) {
  const done = percent(value, max);
  return (
    <progress
      className={`progress ${tone ? `progress-${tone}` : ''}`}
      value={done}
      max={100}
      aria-label={label}
    />
  );
}
