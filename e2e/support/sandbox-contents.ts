import { partsOf, type TestSandbox } from '../../sandbox/src/testing/sandbox-client.js';
import { sha256 } from './orthanc-contents.js';

/** Of the preamble, the prefix and the group length before the rest of the file meta information (PS3.10 7.1). */
const FIXED_BYTES = 144;

/** SHA-256 of the data set of a DICOM file: what an archive that writes the file meta information anew hands out as it came. */
export function dataSetDigest(file: Uint8Array): string {
  const groupLength = new DataView(file.buffer, file.byteOffset).getUint32(FIXED_BYTES - 4, true);
  return sha256(file.subarray(FIXED_BYTES + groupLength));
}

/** {@link dataSetDigest} of each instance of a study that the sandbox hands out by WADO-RS. */
export async function dataSetDigests(sandbox: TestSandbox, studyInstanceUid: string): Promise<Set<string>> {
  const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  const answer = await sandbox.get(`/studies/${studyInstanceUid}`, { accept });
  if (!answer.ok) return new Set();
  return new Set((await partsOf(answer)).map(dataSetDigest));
}
