import { Icon } from '../../ui/Icon.js';
import { toneIcon } from '../../ui/Notice.js';
import type { StatusWords } from './status-sentences.js';

export function StatusBadge({ words }: { words: StatusWords }) {
  return (
    <span className={`badge badge-${words.tone}`}>
      <Icon name={toneIcon(words.tone)} size={16} /> {words.label}
    </span>
  );
}
