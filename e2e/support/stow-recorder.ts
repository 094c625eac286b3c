import { boundaryOf } from '../../worker/src/delivery/multipart.js';

/** (0008,0018) SOP Instance UID in explicit VR little endian. */
const SOP_INSTANCE_UID = Buffer.from([0x08, 0x00, 0x18, 0x00, 0x55, 0x49]);

export interface ReceivedPart {
  sopInstanceUid: string | undefined;
  bytes: Buffer;
}

/** The complete parts of what arrived of a STOW-RS body; a part that was broken off is none. */
export function completeParts(contentType: string | undefined, body: Buffer): ReceivedPart[] {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return [];
  const parts: ReceivedPart[] = [];
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  let at = body.indexOf('\r\n\r\n');
  while (at >= 0) {
    const end = body.indexOf(delimiter, at + 4);
    if (end < 0) break;
    const bytes = body.subarray(at + 4, end);
    parts.push({ sopInstanceUid: readUid(bytes), bytes });
    at = body.indexOf('\r\n\r\n', end + delimiter.length);
  }
  return parts;
}

function readUid(bytes: Buffer): string | undefined {
  const at = bytes.indexOf(SOP_INSTANCE_UID);
  if (at < 0) return undefined;
  return bytes.toString('latin1', at + 8, at + 8 + bytes.readUInt16LE(at + 6)).replace(/[\0 ]+$/, '');
}

/** How often each of these occurs. */
export function tally(uids: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const uid of uids) counts.set(uid, (counts.get(uid) ?? 0) + 1);
  return counts;
}
