import { createHash } from 'node:crypto';
import type { Orthanc } from './orthanc.js';

export const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

/** SHA-256 of the bytes Orthanc holds, by SOP Instance UID; as Orthanc's own REST API gives them out. */
export async function orthancDigests(
  orthanc: Orthanc,
  studyInstanceUid?: string,
): Promise<Map<string, string>> {
  const found = await orthanc.rest('/tools/find', {
    method: 'POST',
    body: JSON.stringify({
      Level: 'Instance',
      Query: studyInstanceUid === undefined ? {} : { StudyInstanceUID: studyInstanceUid },
      Expand: true,
    }),
  });
  const instances = (await found.json()) as Array<{ ID: string; MainDicomTags: { SOPInstanceUID: string } }>;
  const digests = new Map<string, string>();
  for (const { ID, MainDicomTags } of instances) {
    const file = await orthanc.rest(`/instances/${ID}/file`);
    digests.set(MainDicomTags.SOPInstanceUID, sha256(new Uint8Array(await file.arrayBuffer())));
  }
  return digests;
}

/** The variables that point RelayPACS at this Orthanc. */
export function pacsVariables(
  orthanc: Pick<Orthanc, 'url' | 'username' | 'password'>,
): Record<string, string> {
  return {
    PACS_URL: orthanc.url,
    PACS_AUTH: 'basic',
    PACS_USERNAME: orthanc.username,
    PACS_PASSWORD: orthanc.password,
  };
}
