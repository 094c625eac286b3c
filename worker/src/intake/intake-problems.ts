import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';

/** Why a file is not delivered, in the words a sender reads. Codes are stable; no text holds patient data. */
export const UNIDENTIFIED: UploadProblem = {
  code: 'MISSING_UID',
  title: 'Not identified',
  detail:
    'The file lacks an identifier the archive needs to tell where it belongs. Export it again and send it anew.',
};

export const TRANSFER_DAMAGED: UploadProblem = {
  code: 'TRANSFER_DAMAGED',
  title: 'Not what was sent',
  detail:
    'What arrived differs from what the sender announced, so it was not passed on. Send this file again.',
};

export const CONFLICTING_COPY: UploadProblem = {
  code: 'CONFLICTING_COPY',
  title: 'Two different images with one identifier',
  detail:
    'Another file of this upload has the same identifier and other contents. Only the first was taken; check which is right.',
};

export const CONFLICTING_INSTANCE: UploadProblem = {
  code: 'CONFLICTING_INSTANCE',
  title: 'Another image with this identifier was sent before',
  detail:
    'An image with the same identifier and other contents is in the PACS already, so this one was not sent: it would be mixed up with it. Ask whoever exported it which of the two is right.',
};

export const MIXED_PATIENTS: UploadProblem = {
  code: 'MIXED_PATIENTS',
  title: 'Different patients in one study',
  detail:
    'The images of this study name different patients, so none of them was sent. Export the study again, one patient at a time.',
};

export const STUDY_OF_ANOTHER_PATIENT: UploadProblem = {
  code: 'STUDY_OF_ANOTHER_PATIENT',
  title: 'The PACS has this study for another patient',
  detail:
    'A study with this identifier went to the PACS before, for another patient, so this file was not sent: the two would be mixed up. Check the patient and the study, or ask whoever exported it which is right.',
};

export const PICTURE_OF_NOBODY: UploadProblem = {
  code: 'PATIENT_UNKNOWN',
  title: 'Nobody said whose picture this is',
  detail:
    'A picture does not say whose it is, and no patient was entered, so it was not sent: nobody would find it in the PACS. Send it again with the name of the patient.',
};

export const PICTURE_OF_ANOTHER_PATIENT: UploadProblem = {
  code: 'PICTURE_OF_ANOTHER_PATIENT',
  title: 'Picture and study are of different patients',
  detail:
    'The study you named is of another patient than the one you entered, so the picture was not added to it. Check the patient, and send the picture by itself.',
};

export const TOO_MANY_PICTURES: UploadProblem = {
  code: 'TOO_MANY_PICTURES',
  title: 'Too many pictures at once',
  detail: 'One upload takes 200 pictures at most, and 2 GB of them. Send the others in a further upload.',
};

export const TWICE_PACKED: UploadProblem = {
  code: 'ARCHIVE_UNSUPPORTED',
  title: 'Packed twice',
  detail:
    "A gzip'ed file within an archive is not opened; nothing in it was sent. Send it by itself, or unpack it and make the archive again.",
};

export const HEIC: UploadProblem = {
  code: 'IMAGE_UNSUPPORTED',
  title: 'Photo format not supported',
  detail:
    'Photos in the HEIC format cannot be sent as they are. Send them by the RelayPACS app on the phone, or save them as JPEG first.',
};

export const OTHER_ARCHIVE: UploadProblem = {
  code: 'ARCHIVE_UNSUPPORTED',
  title: 'Archive format not supported',
  detail:
    'This kind of archive is not opened; nothing in it was sent. Unpack it and send the folder, or make a ZIP of it.',
};

export const DICOMDIR_NOTED: UploadProblem = {
  code: 'DICOMDIR',
  title: 'Table of contents',
  detail:
    'This is the table of contents of a disc. It is not sent; what it lists was compared with what arrived.',
};

export const IMAGE_BESIDE_STUDY: UploadProblem = {
  code: 'IMAGE_BESIDE_STUDY',
  title: 'Picture beside a study',
  detail:
    'A picture that lies in a folder or an archive of DICOM images mostly belongs to a viewer, so it was left out. Send it by itself if it belongs to the study.',
};

export const NOTHING_INSIDE: UploadProblem = {
  code: 'ARCHIVE_WITHOUT_IMAGES',
  title: 'No images inside',
  detail: 'There is nothing in this archive that can go to the PACS; each file in it says why.',
};

/** A repair that was needed and could not be made. */
export function NOT_REPAIRABLE(code = 'NOT_REPAIRABLE', message = 'The file needs a repair.'): UploadProblem {
  return {
    code,
    title: 'Cannot be repaired',
    detail: `${message} That could not be put right here, so the file was not sent. Export it again.`,
  };
}

/** What a finding of a scanner says of the whole file. */
export function problemOfFinding(
  { code, message }: { code: string; message: string },
  title: string,
): UploadProblem {
  return { code, title, detail: message };
}
