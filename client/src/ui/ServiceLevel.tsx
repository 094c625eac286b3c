import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';

const NAMES: Record<ServiceLevel, string> = { routine: 'Routine', emergency: 'Emergency', stat: 'STAT' };
const ORDER: readonly ServiceLevel[] = ['routine', 'emergency', 'stat'];

/** The level as a sign; routine goes without saying. */
export function LevelSign({ level }: { level: ServiceLevel }) {
  return level === 'routine' ? null : <span className={`level level-${level}`}>{NAMES[level]}</span>;
}

interface LevelChoiceProps {
  /** Tells the choices of several studies on one page apart. */
  name: string;
  value: ServiceLevel;
  onChange(level: ServiceLevel): void;
}

/** One of the three service levels. */
export function LevelChoice({ name, value, onChange }: LevelChoiceProps) {
  return (
    <fieldset className="field">
      <legend className="field-label">Service level</legend>
      <div className="segments">
        {ORDER.map((level) => (
          <label className="segment" key={level}>
            <input
              type="radio"
              name={name}
              value={level}
              checked={value === level}
              onChange={() => onChange(level)}
            />
            <span>{NAMES[level]}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Its name in a sentence or a table. */
export function levelName(level: ServiceLevel): string {
  return NAMES[level];
}
