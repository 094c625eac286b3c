import { parseMediaType } from './multipart.js';

const FOR_JSON = new Set(['*/*', 'application/*', 'application/json', 'application/dicom+json']);

/** Whether an Accept header (RFC 9110 12.5.1) allows DICOM JSON; none allows everything. */
export function acceptsDicomJson(accept = '*/*'): boolean {
  return accept.split(',').some((range) => {
    const { type, parameters } = parseMediaType(range);
    return FOR_JSON.has(type) && Number(parameters.get('q') ?? 1) > 0;
  });
}
