import type { ArchiveEntry, ArchiveContents as Contents } from '@relaypacs/core/contract/uploads.js';
import { count } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { Disclosure } from './Disclosure.js';
import { FileRemarks } from './FileRemarks.js';
import { contentsWords, fileWords, reasonOf, remarksOf, unlisted } from './file-words.js';
import { LongList } from './LongList.js';

interface ArchiveContentsProps {
  /** Path of the archive. */
  path: string;
  contents: Contents;
}

/** What an archive held: how much of it went on, and why the rest did not. */
export function ArchiveContents({ path, contents }: ArchiveContentsProps) {
  const more = unlisted(contents);
  return (
    <Disclosure
      // What was refused must not be overlooked because it came in an archive.
      open={contents.rejected > 0}
      summary={
        <>
          Contents of <span className="file-path">{path}</span>: {contentsWords(contents)}
        </>
      }
    >
      {contents.entries.length === 0 ? (
        <p className="muted">Nothing to remark on any of it.</p>
      ) : (
        <LongList
          items={contents.entries}
          draw={(entry) => (
            <li key={entry.path}>
              <Entry entry={entry} />
            </li>
          )}
        />
      )}
      {more > 0 && <p className="muted">And {count(more, 'more file')} that did not go on.</p>}
    </Disclosure>
  );
}

function Entry({ entry }: { entry: ArchiveEntry }) {
  const reason = reasonOf(entry);
  if (entry.status === 'rejected') {
    return (
      <Notice tone="bad">
        <span className="file-path">{entry.path}</span>
        <br />
        {reason}
      </Notice>
    );
  }
  return (
    <>
      <p className="file-line">
        <span className="file-path">{entry.path}</span>
        <span className="muted small">{fileWords(entry)}</span>
      </p>
      {reason && <p className="muted small">{reason}</p>}
      <FileRemarks {...remarksOf(entry)} />
    </>
  );
}
