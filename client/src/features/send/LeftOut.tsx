import { count } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { FileList, FileReasons } from './FileReasons.js';
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

/** Files whose reasons are shown at once. */
const SHOWN = 4;

/** What somebody meant to send, and can do something about. */
function Unsendable({ files }: { files: readonly LeftOutFile[] }) {
  const reason = onlyReason(files);
  return (
    <Notice tone="caution">
      <p>
        <strong>{count(files.length, 'file')} cannot be sent.</strong> {files.length > SHOWN && reason}
      </p>
      {files.length > SHOWN ? <FileReasons files={files} /> : <FileList files={files} />}
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
