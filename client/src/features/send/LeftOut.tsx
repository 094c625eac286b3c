import { count } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import type { LeftOutFile, OtherFile } from './grouping.js';
import { othersWords } from './left-out-words.js';

interface LeftOutProps {
  damaged: readonly LeftOutFile[];
  others: readonly OtherFile[];
  /** Nothing that can be sent was found. */
  nothingElse: boolean;
}

/** Files that will not be sent, and why, so that nobody misses them in the PACS. */
export function LeftOut({ damaged, others, nothingElse }: LeftOutProps) {
  return (
    <>
      {damaged.length > 0 && <DamagedImages files={damaged} />}
      {others.length > 0 && (
        <Notice tone={nothingElse ? 'caution' : 'over'}>
          <p>{othersWords(others)}</p>
          <FileReasons files={others} />
        </Notice>
      )}
    </>
  );
}

/** Images that are DICOM but cannot be used. */
export function DamagedImages({ files }: { files: readonly LeftOutFile[] }) {
  const [first] = files;
  return (
    <Notice tone="caution">
      <p>
        <strong>
          {count(files.length, 'image')} {files.length === 1 ? 'is' : 'are'} damaged and will be left out.
        </strong>{' '}
        {files.length === 1 && first ? first.reason : 'The others can be sent.'}
      </p>
      <FileReasons files={files} />
    </Notice>
  );
}

const SHOWN = 100;

/** File by file, on demand. */
function FileReasons({ files }: { files: readonly LeftOutFile[] }) {
  return (
    <details className="disclosure">
      <summary>
        <Icon name="chevron" size={18} /> Which ones?
      </summary>
      <ul className="file-reasons small">
        {files.slice(0, SHOWN).map(({ path, reason }) => (
          <li key={path}>
            <span className="file-path">{path}</span> {reason}
          </li>
        ))}
        {files.length > SHOWN && <li>and {count(files.length - SHOWN, 'more', 'more')}</li>}
      </ul>
    </details>
  );
}
