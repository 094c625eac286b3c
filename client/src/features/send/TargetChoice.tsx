import { useTargets } from '../../app/use-targets.js';
import { ChoiceField } from './fields.js';

interface TargetChoiceProps {
  /** Key of a PACS; empty: the rules decide. */
  value: string;
  onChange(target: string): void;
}

/** To which PACS a study goes, where the person may choose; nothing where not. */
export function TargetChoice({ value, onChange }: TargetChoiceProps) {
  const { items } = useTargets();
  if (items.length === 0) return null;
  return (
    <ChoiceField
      label="Send to"
      hint="Leave it as it is unless you were told where this study is wanted."
      error={undefined}
      choices={[['', 'Where studies of this kind go'], ...items.map(({ key, name }) => [key, name] as const)]}
      value={value}
      onChange={onChange}
    />
  );
}
