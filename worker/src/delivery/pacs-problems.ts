import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { UnavailableKind } from './pacs-unavailable.js';

const KEPT = 'It is still kept safely here.';
const ASK_PACS =
  'Please show this message to the people who run the PACS; when it is solved, press Retry and only what is missing is sent.';
const TRY_AGAIN =
  'Press Retry, and only what is missing is sent. If it happens again, show this message to the people who run the PACS.';

interface Refusal {
  code: string;
  title: string;
  what: string;
}

const UNSUPPORTED_IMAGE: Refusal = {
  code: 'PACS_UNSUPPORTED_IMAGE',
  title: 'The PACS does not take this kind of image',
  what: 'The PACS does not store this kind of image.',
};
const UNSUPPORTED_COMPRESSION: Refusal = {
  code: 'PACS_UNSUPPORTED_COMPRESSION',
  title: 'The PACS does not take this compression',
  what: 'The PACS does not store images that are compressed in this way.',
};
const PATIENT_CONFLICT: Refusal = {
  code: 'PACS_PATIENT_CONFLICT',
  title: 'The image does not fit what the PACS holds',
  what: 'The patient or study details of the image contradict what the PACS already holds.',
};
const REJECTED_BEFORE: Refusal = {
  code: 'PACS_REJECTED_BEFORE',
  title: 'The image was deleted in the PACS',
  what: 'The image was rejected or deleted in the PACS earlier, and the PACS does not take it back.',
};
const NOT_AUTHORIZED: Refusal = {
  code: 'PACS_NOT_AUTHORIZED',
  title: 'The PACS does not allow this image',
  what: 'The PACS does not allow RelayPACS to store this image.',
};
const INVALID_IMAGE: Refusal = {
  code: 'PACS_INVALID_IMAGE',
  title: 'The PACS could not read the image',
  what: 'The PACS could not make sense of the contents of the image.',
};
const REFUSED: Refusal = {
  code: 'PACS_REFUSED',
  title: 'The PACS refused the image',
  what: 'The PACS refused the image.',
};

/** Failure Reason (0008,1197): PS3.7 C.5, PS3.4 B.2.3, PS3.18 table 10.5.3-3, and A77x as dcm4chee uses them. */
function refusalFor(reason: number | undefined): Refusal {
  if (reason === undefined) return REFUSED;
  if (reason === 0x0122) return UNSUPPORTED_IMAGE;
  if (reason === 0xc122) return UNSUPPORTED_COMPRESSION;
  if (reason === 0xa778 || reason === 0xa779) return PATIENT_CONFLICT;
  if (reason === 0xa771) return REJECTED_BEFORE;
  if (reason === 0x0124) return NOT_AUTHORIZED;
  if ((reason & 0xff00) === 0xa900 || (reason & 0xf000) === 0xc000) return INVALID_IMAGE;
  return REFUSED;
}

/** dcm4chee's PATIENT_ID_MISSING_IN_OBJECT: the one refusal that the sender can put right here. */
export const PATIENT_ID_MISSING: UploadProblem = {
  code: 'PACS_PATIENT_ID_MISSING',
  title: 'The image has no patient ID',
  detail:
    'The PACS refuses images without a patient ID. Add it and send again. The study is still kept safely here.',
  remedy: 'correct',
  fields: ['patientId'],
};

/** The same where the ID that was entered cannot be added. */
export const PATIENT_ID_NOT_ADDED: UploadProblem = {
  code: PATIENT_ID_MISSING.code,
  title: PATIENT_ID_MISSING.title,
  detail:
    'The PACS refuses images without a patient ID, and to these the one you entered cannot be added: they may be of another patient, or be written in a way that leaves no room for it. They are still kept safely here. Export the study with a patient ID and send that in a new upload.',
  remedy: 'new_upload',
};

/** What a permanent refusal of an instance is told as. */
export function refusal(reason: number | undefined): UploadProblem {
  if (reason === 0xa777) return PATIENT_ID_MISSING;
  const { code, title, what } = refusalFor(reason);
  const number =
    reason === undefined
      ? ''
      : ` (The PACS gave the reason ${reason.toString(16).toUpperCase().padStart(4, '0')}H.)`;
  return { code, title, detail: `${what}${number} ${KEPT} ${ASK_PACS}`, remedy: 'contact_pacs' };
}

/** A request with one instance that was refused as a whole. */
export function httpRefusal(status: number): UploadProblem {
  if (status === 413) {
    return {
      code: 'PACS_TOO_LARGE',
      title: 'The image is too large for the PACS',
      detail: `The PACS does not take an object of this size. ${KEPT} ${ASK_PACS}`,
      remedy: 'contact_pacs',
    };
  }
  return {
    code: REFUSED.code,
    title: REFUSED.title,
    remedy: 'contact_pacs',
    detail: `The PACS refused the image without a reason (HTTP status ${status}). ${KEPT} ${ASK_PACS}`,
  };
}

/** The PACS answered well, but said nothing of the instance and does not hold it. */
export const NO_WORD: UploadProblem = {
  code: 'PACS_IGNORED',
  title: 'The PACS did not store the image',
  detail: `The PACS accepted the image, but did not store it and gave no reason. ${KEPT} ${ASK_PACS}`,
  remedy: 'contact_pacs',
};

/** Said to be stored, and not there, several times. */
export const NOT_CONFIRMED: UploadProblem = {
  code: 'PACS_NOT_CONFIRMED',
  title: 'The PACS does not show the image',
  detail: `The PACS said that it stored the image, but does not find it when asked. ${KEPT} ${TRY_AGAIN}`,
  remedy: 'retry',
};

/** The PACS breaks down each time it is given this one. */
export const BREAKS_PACS: UploadProblem = {
  code: 'PACS_BREAKS_DOWN',
  title: 'The PACS cannot process the image',
  detail: `The PACS broke off every time it was given this image, so sending it was stopped. ${KEPT} ${ASK_PACS}`,
  remedy: 'contact_pacs',
};

/** The same of a PACS to which nothing else went, so that nobody can tell which of the two it is. */
export const BREAKS_OFF: UploadProblem = {
  code: BREAKS_PACS.code,
  title: 'The PACS breaks off over the image',
  detail: `The PACS broke the connection off each time it was given this image, for half an hour, and answered whatever else it was asked. So sending the image was stopped. Either the PACS cannot process it, or it stores nothing at all: nothing else was sent there meanwhile. ${KEPT} ${ASK_PACS}`,
  remedy: 'contact_pacs',
};

/** The same SOP Instance UID with other contents. */
export const CONFLICT: UploadProblem = {
  code: 'CONFLICT',
  title: 'The PACS holds a different image under the same identifier',
  detail:
    'The PACS already holds a different image under the same identifier. Nothing was overwritten and this image was not sent; it is still kept safely here. Please have it checked which of the two is right; if this one is, it must be exported again with new identifiers, or the one in the PACS be removed before you press Retry.',
  remedy: 'contact_pacs',
};

/** The PACS holds it and does not let the bytes be compared. */
export const NOT_COMPARED: UploadProblem = {
  code: 'HELD_NOT_COMPARED',
  title: 'The PACS held this image already',
  detail:
    'The PACS already held an image with this identifier, so it was not sent again. The two could not be compared completely, because the PACS changes images when it stores them or does not hand them out.',
};

/** The PACS said that it stored it, and hands out other contents. */
export const ALTERED: UploadProblem = {
  code: 'PACS_ALTERED',
  title: 'The PACS holds something else than was sent',
  detail:
    'The PACS lists the image, but what it hands out is not what was sent to it. Do not rely on the image in the PACS. As it was sent it is still kept safely here. Please show this message to the people who run the PACS; when the wrong image has been removed there, press Retry and it is sent again.',
  remedy: 'contact_pacs',
};

/** The PACS lists it, and does not let its contents be seen. */
export const NOT_HANDED_OUT: UploadProblem = {
  code: 'PACS_NOT_HANDED_OUT',
  title: 'The PACS does not hand out the image',
  detail:
    'The PACS lists the image, but does not hand it out whole, so nobody can tell whether it holds what was sent. As it was sent it is still kept safely here. Please show this message to the people who run the PACS; when the image can be opened there, press Retry and it is compared again.',
  remedy: 'contact_pacs',
};

/** Verified by its UID alone: the pixels are those that were sent, the header is not. */
export const HEADER_REWRITTEN: UploadProblem = {
  code: 'PACS_REWRITES',
  title: 'The PACS changed details of the image',
  detail:
    'The PACS lists the image and hands out the same pixels, but wrote the details around them anew when it stored it. Nothing to do if the PACS is meant to do so.',
};

/** Verified by its UID alone: nothing can be said of what it holds. */
export const NOT_COMPARABLE: UploadProblem = {
  code: 'PACS_NOT_COMPARABLE',
  title: 'The contents in the PACS could not be compared',
  detail:
    'The PACS lists the image and hands out a whole one, but the two could not be compared, because the PACS changes images when it stores them. Look at the image in the PACS.',
};

/** The bytes we keep are not the ones that were accepted. */
export const DAMAGED: UploadProblem = {
  code: 'STORED_BYTES_DAMAGED',
  title: 'The image was damaged after it was received',
  detail:
    'The copy of this image kept here is damaged or gone, so it was not sent to the PACS. Please keep the original and send the study again, and tell the people who run RelayPACS to check its storage.',
  remedy: 'new_upload',
};

/** Warning Reason (0008,1196), PS3.18 table 10.5.3-2. */
export function warning(reason: number): UploadProblem {
  const what =
    reason === 0xb000
      ? 'The PACS stored the image and changed some of its details to fit its own.'
      : 'The PACS stored the image with a remark.';
  return { code: 'PACS_WARNING', title: 'Stored with a remark', detail: `${what} (Remark ${reason}.)` };
}

/** What a study that waits says; undefined where there is nothing for anybody to do. */
export function waitingProblem(kind: UnavailableKind): UploadProblem | undefined {
  const kept = 'The study is safe here and is sent by itself once this is solved.';
  const tell = 'Please tell the people who run RelayPACS.';
  if (kind === 'denied') {
    return {
      code: 'PACS_ACCESS_DENIED',
      title: 'The PACS does not let RelayPACS in',
      detail: `The PACS refuses the access data of RelayPACS. ${kept} ${tell}`,
    };
  }
  if (kind === 'misconfigured') {
    return {
      code: 'PACS_MISCONFIGURED',
      title: 'The PACS does not answer as expected',
      detail: `What answers at the address of the PACS does not take studies, or cannot show that it is the PACS; the settings of RelayPACS for it may be wrong. ${kept} ${tell}`,
    };
  }
  if (kind === 'not-configured') {
    return {
      code: 'PACS_NOT_CONFIGURED',
      title: 'The PACS is not connected',
      detail: `The PACS the study is to go to is not, or no longer, among those RelayPACS is connected to. ${kept} ${tell}`,
    };
  }
  return undefined;
}

/** Something of ours failed; it is tried again. */
export const OWN_FAULT: UploadProblem = {
  code: 'DELIVERY_INTERRUPTED',
  title: 'Delivery was interrupted',
  detail: 'Something went wrong inside RelayPACS. The study is safe here and delivery goes on by itself.',
};
