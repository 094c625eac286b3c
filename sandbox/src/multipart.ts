/** What comes out of a multipart body, in order. A part that is cut off has no `partEnd`. */
export type PartEvent =
  | { kind: 'part'; headers: ReadonlyMap<string, string> }
  | { kind: 'data'; bytes: Buffer }
  | { kind: 'partEnd' };

const MAX_PART_HEADER_BYTES = 16 * 1024;
const CRLF = Buffer.from('\r\n');
const HEADER_END = Buffer.from('\r\n\r\n');

/**
 * Reads a multipart body (RFC 2046 5.1) as it streams in, holding no more than one chunk and a delimiter of it.
 * As strict as Orthanc: lines end in CRLF, nothing stands between a boundary and its line end, a part's
 * Content-Length must be right. Where the body breaks these rules, parts end without an error and the rest is read
 * and dropped. Throws only what `body` throws, such as a connection lost.
 */
export async function* readParts(body: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<PartEvent> {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // The line end that belongs to the delimiter, for a body that starts with one.
  let pending: Buffer = CRLF;
  let state: 'preamble' | 'delimiter' | 'headers' | 'data' | 'over' = 'preamble';
  let dataLeft = Infinity;

  for await (const chunk of body) {
    if (state === 'over') continue;
    pending = Buffer.concat([pending, chunk]);
    for (let waiting = false; !waiting; ) {
      if (state === 'preamble' || state === 'data') {
        const found = pending.indexOf(delimiter);
        const bytes = pending.subarray(
          0,
          found >= 0 ? found : Math.max(0, pending.length - delimiter.length + 1),
        );
        pending = pending.subarray(found >= 0 ? found + delimiter.length : bytes.length);
        if (state === 'data') {
          dataLeft -= bytes.length;
          if (bytes.length > 0) yield { kind: 'data', bytes };
          if (found >= 0 && (dataLeft === 0 || dataLeft === Infinity)) yield { kind: 'partEnd' };
          else if (found >= 0) state = 'over';
        }
        if (found >= 0 && state !== 'over') state = 'delimiter';
        waiting = found < 0 || state === 'over';
      } else if (state === 'delimiter') {
        // The CRLF after a boundary stays: with the next one it is the end of empty headers.
        waiting = pending.length < 2;
        if (!waiting) state = pending.subarray(0, 2).equals(CRLF) ? 'headers' : 'over';
      } else if (state === 'headers') {
        const end = pending.indexOf(HEADER_END);
        waiting = end < 0;
        if (end >= 0) {
          const headers = parseHeaders(pending.toString('latin1', 0, end));
          pending = pending.subarray(end + HEADER_END.length);
          dataLeft = headers.has('content-length') ? Number(headers.get('content-length')) : Infinity;
          state = 'data';
          yield { kind: 'part', headers };
        } else if (pending.length > MAX_PART_HEADER_BYTES) state = 'over';
      } else {
        waiting = true;
      }
    }
  }
}

function parseHeaders(lines: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

export interface MediaType {
  /** `type/subtype`, in lower case. */
  type: string;
  /** By lower-case name, quotes taken off. */
  parameters: ReadonlyMap<string, string>;
}

/** Reads a media type with its parameters (RFC 9110 8.3.1). */
export function parseMediaType(header: string): MediaType {
  const [type = '', ...rest] = header.match(/(?:"(?:\\.|[^"\\])*"|[^;"])+/g) ?? [];
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf('=');
    if (equals < 0) continue;
    const value = parameter.slice(equals + 1).trim();
    const quoted = /^"(.*)"$/s.exec(value)?.[1];
    parameters.set(
      parameter.slice(0, equals).trim().toLowerCase(),
      quoted?.replace(/\\(.)/gs, '$1') ?? value,
    );
  }
  return { type: type.trim().toLowerCase(), parameters };
}
