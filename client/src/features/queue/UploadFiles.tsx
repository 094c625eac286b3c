import type { UploadFile } from '@relaypacs/core/contract/uploads.js';
import { count } from '../../ui/format.js';
import { Notice } from '../../ui/Notice.js';
import { ArchiveContents } from './ArchiveContents.js';
import { Disclosure } from './Disclosure.js';
import { FileRemarks } from './FileRemarks.js';
import { fileWords, isDamaged, leftOutWords, reasonOf, remarksOf } from './file-words.js';
import { LongList } from './LongList.js';

const pathOf = (file: UploadFile) => file.relativePath ?? file.filename;

interface UploadFilesProps {
  files: readonly UploadFile[];
  /** Some that were refused had gone to the PACS before. */
  haveGone: boolean;
  /** What the page says above already. */
  isTold(sentence: string): boolean;
}

/** What is wrong with single files first, then what archives held; all of them on demand. */
export function UploadFiles({ files, haveGone, isTold }: UploadFilesProps) {
  const ignored = files.filter((file) => file.status === 'ignored');
  const rejected = files.filter(
    (file) => file.status === 'rejected' || (file.problem && !ignored.includes(file)),
  );
  const went = files.filter((file) => !ignored.includes(file) && !rejected.includes(file));
  const repaired = went.filter((file) => remarksOf(file).repairs.length > 0);
  const warned = went.filter((file) => remarksOf(file).warnings.length > 0);
  return (
    <>
      {rejected.length > 0 && <RejectedFiles files={rejected} haveGone={haveGone} isTold={isTold} />}
      {files.map(
        (file) =>
          file.contents && <ArchiveContents key={file.id} path={pathOf(file)} contents={file.contents} />,
      )}
      {warned.length > 0 && (
        <Disclosure summary={`Remarks on ${count(warned.length, 'file')}`}>
          <p className="muted">These files were accepted. The remarks are for whoever exports them.</p>
          <LongList
            items={warned}
            draw={(file) => (
              <li key={file.id}>
                <span className="file-path">{pathOf(file)}</span>
                <FileRemarks repairs={[]} warnings={remarksOf(file).warnings} />
              </li>
            )}
          />
        </Disclosure>
      )}
      {repaired.length > 0 && (
        <Disclosure summary={`${count(repaired.length, 'file')} repaired on the way`}>
          <p className="muted">
            These files had faults that could be put right, and were accepted. Nothing to do; what was wrong
            is for whoever exports them.
          </p>
          <LongList
            items={repaired}
            draw={(file) => (
              <li key={file.id}>
                <span className="file-path">{pathOf(file)}</span>
                <FileRemarks repairs={remarksOf(file).repairs} warnings={[]} />
              </li>
            )}
          />
        </Disclosure>
      )}
      {ignored.length > 0 && (
        <Disclosure summary={leftOutWords(ignored)}>
          <LongList
            items={ignored}
            draw={(file) => (
              <li key={file.id}>
                <span className="file-path">{pathOf(file)}</span>
                <p className="muted small">{reasonOf(file)}</p>
              </li>
            )}
          />
        </Disclosure>
      )}
      {files.length > 0 && (
        <Disclosure summary={`All files (${files.length})`}>
          <LongList
            items={files}
            draw={(file) => (
              <li key={file.id} className="file-line">
                <span className="file-path">{pathOf(file)}</span>
                <span className="muted small">{fileWords(file)}</span>
              </li>
            )}
          />
        </Disclosure>
      )}
    </>
  );
}

function RejectedFiles({ files, haveGone, isTold }: UploadFilesProps) {
  return (
    <section className="card stack" aria-labelledby="rejected-heading">
      <h2 id="rejected-heading">{count(files.length, 'file')} not accepted</h2>
      <p>
        {haveGone
          ? 'Some of this went to the PACS before it was refused; each file says what to do.'
          : `${files.length === 1 ? 'This file does' : 'These files do'} not go to the PACS.`}
        {files.some(isDamaged) && ' Export what is damaged again and send it as a new upload.'}
      </p>
      <LongList
        items={files}
        draw={(file) => (
          <li key={file.id}>
            <Notice tone="bad">
              <span className="file-path">{pathOf(file)}</span>
              <Reason of={file} isTold={isTold} />
            </Notice>
          </li>
        )}
      />
    </section>
  );
}

function Reason({ of, isTold }: { of: UploadFile } & Pick<UploadFilesProps, 'isTold'>) {
  const reason = reasonOf(of);
  return (
    reason !== undefined &&
    !isTold(reason) && (
      <>
        <br />
        {reason}
      </>
    )
  );
}
