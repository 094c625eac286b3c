import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Archive, InstanceUids, Spool } from './archive.js';
import {
  ALL_INDEXED,
  RETRIEVE_URL,
  SERIES_INSTANCE_UID,
  SOP_CLASS_UID,
  SOP_INSTANCE_UID,
  SPECIFIC_CHARACTER_SET,
  STUDY_INSTANCE_UID,
  textOf,
} from './attributes.js';
import { tag } from './dicom-dictionary.js';
import { type Header, readHeader } from './dicom-file.js';
import { type Attributes, stringify } from './dicom-json.js';
import { DicomFormatError } from './dicom-walk.js';
import { dicomWebRoot, HttpError, retrieveUrl, sendText } from './http-answers.js';
import { parseMediaType, readParts } from './multipart.js';

/** Failure Reason (0008,1197): Processing failure (PS3.18 table 10.5.3-1), Orthanc's for a study that is not the URL's. */
const OTHER_STUDY = 0x0110;
/** Failure Reason (0008,1197): Cannot understand. */
const CANNOT_UNDERSTAND = 0xc000;

type Outcome =
  | { kind: 'accepted'; uids: InstanceUids; sopClass: string; spool: Spool; header: Header }
  | { kind: 'failed'; instance: string; sopClass: string; reason: number }
  | { kind: 'unreadable' }
  /** Orthanc stops at such a part, ignores those behind it and answers as if they had not been sent. */
  | { kind: 'stop'; uids?: Partial<InstanceUids> };

/**
 * STOW-RS (PS3.18 10.5) as Orthanc 1.10.1 with DICOMweb 1.7 does it. Parts go to disk as they come; nothing is stored
 * before the whole body is there.
 */
export async function storeInstances(
  archive: Archive,
  request: IncomingMessage,
  response: ServerResponse,
  expectedStudy: string | undefined,
): Promise<void> {
  const { type, parameters } = parseMediaType(request.headers['content-type'] ?? '');
  const boundary = parameters.get('boundary');
  const partType = parameters.get('type')?.toLowerCase();
  if (type !== 'multipart/related' || partType !== 'application/dicom' || !boundary) {
    throw HttpError.unsupportedMediaType();
  }
  const spools: Spool[] = [];
  let outcomes: Outcome[];
  try {
    outcomes = await receive(archive, request, boundary, expectedStudy, spools);
    // One after another, so that they are listed in the order they were sent.
    for (const outcome of outcomes) {
      if (outcome.kind === 'accepted') await archive.add(outcome.uids, outcome.spool.path, outcome.header);
    }
  } finally {
    await Promise.all(spools.map((spool) => spool.discard()));
  }
  answer(response, dicomWebRoot(request), outcomes);
}

/** Reads the body to its end, each DICOM part into a spool file of its own. */
async function receive(
  archive: Archive,
  request: IncomingMessage,
  boundary: string,
  expectedStudy: string | undefined,
  spools: Spool[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let spool: Spool | undefined;
  let stopped = false;
  for await (const event of readParts(request, boundary)) {
    if (stopped) continue;
    if (event.kind === 'part') {
      const partType = event.headers.get('content-type');
      spool = undefined;
      if (partType === undefined) continue;
      // With a transfer-syntax parameter, or in capitals, it is another type to Orthanc.
      stopped = partType !== 'application/dicom';
      if (stopped) continue;
      spool = await archive.spool();
      spools.push(spool);
    } else if (event.kind === 'data') {
      await spool?.write(event.bytes);
    } else if (spool) {
      await spool.close();
      const outcome = await judge(spool, expectedStudy);
      outcomes.push(outcome);
      stopped = outcome.kind === 'stop';
      if (outcome.kind !== 'accepted') await spool.discard();
    }
  }
  return outcomes;
}

async function judge(spool: Spool, expectedStudy: string | undefined): Promise<Outcome> {
  let header: Header;
  try {
    header = await readHeader(spool.path, ALL_INDEXED, { checkWholeFile: true });
  } catch (error) {
    if (error instanceof DicomFormatError) return { kind: 'unreadable' };
    throw error;
  }
  const sopClass = textOf(header.attributes, SOP_CLASS_UID);
  const instance = textOf(header.attributes, SOP_INSTANCE_UID);
  const study = textOf(header.attributes, STUDY_INSTANCE_UID);
  const series = textOf(header.attributes, SERIES_INSTANCE_UID);
  if (sopClass === undefined || instance === undefined) return { kind: 'unreadable' };
  if (expectedStudy !== undefined && study !== expectedStudy) {
    return { kind: 'failed', instance, sopClass, reason: OTHER_STUDY };
  }
  if (study === undefined || series === undefined) {
    return { kind: 'failed', instance, sopClass, reason: CANNOT_UNDERSTAND };
  }
  if (!instance || !study || !series) return { kind: 'stop', uids: { study } };
  return { kind: 'accepted', uids: { study, series, instance }, sopClass, spool, header };
}

const REFERENCED_SOP_CLASS_UID = tag('ReferencedSOPClassUID');
const REFERENCED_SOP_INSTANCE_UID = tag('ReferencedSOPInstanceUID');
const FAILURE_REASON = tag('FailureReason');
const FAILED_SOP_SEQUENCE = tag('FailedSOPSequence');
const REFERENCED_SOP_SEQUENCE = tag('ReferencedSOPSequence');

function answer(response: ServerResponse, root: string, outcomes: readonly Outcome[]): void {
  const stored: Attributes[] = [];
  const failed: Attributes[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === 'accepted') {
      const { uids, sopClass } = outcome;
      const url = retrieveUrl(root, uids);
      stored.push({ ...reference(sopClass, uids.instance), [RETRIEVE_URL]: { vr: 'UR', Value: [url] } });
    } else if (outcome.kind === 'failed') {
      const { sopClass, instance, reason } = outcome;
      failed.push({ ...reference(sopClass, instance), [FAILURE_REASON]: { vr: 'US', Value: [reason] } });
    }
  }
  const study = outcomes.map((outcome) => 'uids' in outcome && outcome.uids?.study).find((uid) => uid);
  const body = stringify({
    [SPECIFIC_CHARACTER_SET]: { vr: 'CS', Value: ['ISO_IR 192'] },
    ...(study && { [RETRIEVE_URL]: { vr: 'UR', Value: [retrieveUrl(root, { study })] } }),
    [FAILED_SOP_SEQUENCE]: sequence(failed),
    [REFERENCED_SOP_SEQUENCE]: sequence(stored),
  });
  const status = statusOf(outcomes);
  // Orthanc names no Content-Type unless all is well.
  sendText(response, status, body, status === 200 ? 'application/dicom+json' : undefined);
}

function statusOf(outcomes: readonly Outcome[]): number {
  const reasons = outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.reason : outcome.kind));
  if (reasons.includes('unreadable') || reasons.includes(CANNOT_UNDERSTAND)) return 400;
  return reasons.includes(OTHER_STUDY) ? 409 : 200;
}

function reference(sopClass: string, instance: string): Attributes {
  return {
    [REFERENCED_SOP_CLASS_UID]: { vr: 'UI', Value: [sopClass] },
    [REFERENCED_SOP_INSTANCE_UID]: { vr: 'UI', Value: [instance] },
  };
}

function sequence(items: Attributes[]) {
  return items.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: items };
}
