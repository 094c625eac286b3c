import { count } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { FileReasons } from './FileReasons.js';
import type { LeftOutFile, OtherFile } from './grouping.js';
import { onlyReason, othersWords } from './left-out-words.js';

interface LeftOutProps {
  damaged: readonly LeftOutFile[];
  others: readonly OtherFile[];
  /** Nothing that can be sent was found. */
  nothingElse: boolean;
}

/** Files that will not be sent, and why, so that nobody misses them in the PACS. */
export function LeftOut({ damaged, others, nothingElse }: LeftOutProps) {
  const wanted = others.filter((file) => file.wanted);
  const rest = others.filter((file) => !file.wanted);
  return (
    <>
      {damaged.length > 0 && <DamagedImages files={damaged} />}
      {wanted.length > 0 && <Unsendable files={wanted} />}
      {rest.length > 0 && (
        <Notice tone={nothingElse ? 'caution' : 'over'}>
          <p>{othersWords(rest)}</p>
          <FileReasons files={rest} />
        </Notice>
      )}
    </>
  );
}

/** What somebody meant to send: one reason stands beside its file, several on demand. */
function Unsendable({ files }: { files: readonly LeftOutFile[] }) {
  const [first] = files;
  return (
    <Notice tone="caution">
      <p>
        <strong>
          {files.length === 1 && first ? (
            <>
              <span className="file-path">{first.path}</span> cannot be sent.
            </>
          ) : (
            `${count(files.length, 'file')} cannot be sent.`
          )}
        </strong>{' '}
        {onlyReason(files)}
      </p>
      {files.length > 1 && <FileReasons files={files} />}
    </Notice>
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
