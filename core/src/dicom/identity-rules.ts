import type { StudyAttributes } from './attributes.js';
import { plainUid, plainValues } from './attributes.js';
import type { DatasetWalker } from './dataset-walker.js';
import { EXPLICIT_LITTLE, isKnownVr } from './encoding.js';
import type { FileHead } from './file-head.js';
import type { FindingList } from './findings.js';
import { IDENTITY_TAGS, TAG } from './tags.js';
import type { TransferSyntax } from './transfer-syntax.js';
import { isPrivateSopClass, judgeUid } from './uid.js';

const DICOMDIR_SOP_CLASS = '1.2.840.10008.1.3.10';

/**
 * DCMTK takes elements for meta information up to the stated end: a length that reaches over the UIDs makes Orthanc
 * 1.10.1 refuse the object, a smaller one that is too long costs it the character set.
 */
export function checkGroupLength(
  head: FileHead,
  walker: DatasetWalker,
  syntax: TransferSyntax,
  findings: FindingList,
): void {
  const { metaEnd, datasetOffset } = head;
  if (metaEnd === datasetOffset) return;
  const place = { tag: TAG.metaGroupLength, offset: head.meta.get(TAG.metaGroupLength)?.offset };
  const legible = syntax.encoding === EXPLICIT_LITTLE && !syntax.deflated;
  const swallows = (end: number) =>
    !legible || [...IDENTITY_TAGS.keys()].some((tag) => (walker.values.get(tag)?.offset ?? end) < end);
  const tooLong = metaEnd !== undefined && metaEnd > datasetOffset && swallows(metaEnd);
  findings.add(tooLong ? 'META_GROUP_LENGTH_TOO_LONG' : 'META_GROUP_LENGTH_WRONG', place);
}

/** Checks the four UIDs an object is filed by, and that the file meta speaks of the same object. */
export function checkIdentity(
  head: FileHead,
  walker: DatasetWalker,
  attributes: StudyAttributes,
  findings: FindingList,
): void {
  const [metaClass = ''] = plainValues(head.meta.get(TAG.mediaStorageSopClassUid));
  const [metaInstance = ''] = plainValues(head.meta.get(TAG.mediaStorageSopInstanceUid));
  if (metaClass === DICOMDIR_SOP_CLASS) {
    findings.add('DICOMDIR');
    return;
  }
  checkUids(head, walker, findings);
  const { sopClassUid, sopInstanceUid } = attributes;
  if (sopClassUid !== undefined && isPrivateSopClass(sopClassUid)) {
    findings.add('PRIVATE_SOP_CLASS', { tag: TAG.sopClassUid });
  }
  const otherClass = metaClass !== '' && sopClassUid !== undefined && metaClass !== sopClassUid;
  const otherInstance =
    metaInstance !== '' && sopInstanceUid !== undefined && metaInstance !== sopInstanceUid;
  if (otherClass && otherInstance) {
    // Neither the kind nor the instance agrees: two files were mixed up, and no rule can say which part is right.
    findings.add('META_MISMATCH', { tag: TAG.mediaStorageSopInstanceUid });
  } else if (otherClass) {
    findings.add('META_SOP_CLASS_MISMATCH', { tag: TAG.mediaStorageSopClassUid });
  } else if (otherInstance) {
    findings.add('META_SOP_INSTANCE_MISMATCH', { tag: TAG.mediaStorageSopInstanceUid });
  }
}

function checkUids(head: FileHead, walker: DatasetWalker, findings: FindingList): void {
  if (walker.complete && !head.hasPreamble && isWithoutIdentity(walker.values)) {
    findings.add('UIDS_ABSENT');
    return;
  }
  for (const [tag, attribute] of IDENTITY_TAGS) {
    const element = walker.values.get(tag);
    const uid = plainUid(element);
    const place = { tag, attribute, offset: element?.offset };
    if (uid === '') {
      // Of a file that broke off early nothing can be said to be missing.
      if (walker.complete || element !== undefined) findings.add('MISSING_UID', place);
      continue;
    }
    const judgement = judgeUid(uid);
    if (judgement === 'invalid') findings.add('INVALID_UID', place);
    else if (judgement === 'odd') findings.add('UID_FORMAT', place);
    if (element !== undefined && hidesText(element.vr)) findings.add('UID_VR_UNKNOWN', place);
  }
}

/**
 * Orthanc 1.10.1 finds no UID in an element of VR UN, or of none it knows, and refuses the object; dcm4che looks the
 * VR up. So it is the archive that decides.
 */
function hidesText(vr: string): boolean {
  return vr === 'UN' || (vr !== '' && !isKnownVr(vr));
}

/**
 * A bare data set with a SOP class and no identifier at all was never filed anywhere: like a photograph, it can be
 * given identifiers and lose nothing. (The corpus calls JLSL_RGB_ILV2 repairable for this reason; the same object
 * with a file header is a fault of the software that wrote it, and rejected.)
 */
function isWithoutIdentity(values: DatasetWalker['values']): boolean {
  const instanceTags = [TAG.sopInstanceUid, TAG.studyInstanceUid, TAG.seriesInstanceUid];
  return values.has(TAG.sopClassUid) && !instanceTags.some((tag) => values.has(tag));
}
