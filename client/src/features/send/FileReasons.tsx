import { count } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import type { LeftOutFile } from './grouping.js';

const SHOWN = 100;

/** What there is to say of files, one by one, on demand. */
export function FileReasons({ files }: { files: readonly LeftOutFile[] }) {
  return (
    <details className="disclosure">
      <summary>
        <Icon name="chevron" size={18} /> Which ones?
      </summary>
      <FileList files={files} />
    </details>
  );
}

/** The same, without being asked. */
export function FileList({ files }: { files: readonly LeftOutFile[] }) {
  return (
    <ul className="file-reasons small">
      {files.slice(0, SHOWN).map(({ path, reason }) => (
        <li key={path}>
          <span className="file-path">{path}</span> {reason}
        </li>
      ))}
      {files.length > SHOWN && <li>and {count(files.length - SHOWN, 'more', 'more')}</li>}
    </ul>
  );
}
