import type { Agent, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Config, PacsAuth } from '@relaypacs/core/config.js';
import { uidValue } from './dicom-json.js';
import { exchange, openAgent } from './http-exchange.js';
import { boundaryOf, firstPart, MalformedMultipart, type StowPart, stowBody } from './multipart.js';
import { PacsUnavailable, retryAfterSeconds, unavailableKind } from './pacs-unavailable.js';

const DICOM_JSON = 'application/dicom+json';
const STUDY_INSTANCE_UID = '0020000D';
const SERIES_INSTANCE_UID = '0020000E';
const SOP_INSTANCE_UID = '00080018';
/** Instances asked for in one QIDO-RS request; Orthanc needs about 2 KB for each. */
const PAGE = 500;
const MOST_ANSWER_BYTES = 32 * 1024 * 1024;

/** The answer to a STOW-RS request; its body is read by {@link readStowAnswer}, whatever the status. */
export interface StowReply {
  status: number;
  retryAfterSeconds: number | undefined;
  body: string;
}

/** Instances the PACS holds: SOP Instance UID to Series Instance UID, where the PACS names it. */
export type HeldInstances = ReadonlyMap<string, string | undefined>;

/** Talks to one PACS by DICOMweb (PS3.18) over kept-alive connections; to be closed. */
export class DicomwebClient {
  private readonly root: string;
  private readonly auth: OutgoingHttpHeaders;
  private readonly agent: Agent;
  private readonly timeoutMs: number;

  constructor(pacs: NonNullable<Config['pacs']>) {
    this.root = pacs.url.replace(/\/+$/, '');
    this.auth = authorization(pacs.auth);
    this.agent = openAgent(new URL(this.root).protocol);
    this.timeoutMs = pacs.timeoutMs;
  }

  /**
   * Sends instances in one STOW-RS request, streamed.
   *
   * @throws PacsUnavailable when no complete answer came: what was stored is then unknown
   * @throws StoredBytesDamaged when a part is not what was accepted; the request was broken off inside that part
   */
  async stow(parts: readonly StowPart[], signal: AbortSignal): Promise<StowReply> {
    const body = stowBody(parts);
    const headers = { ...this.auth, Accept: DICOM_JSON, 'Content-Type': body.contentType };
    const url = new URL(`${this.root}/studies`);
    return exchange({ ...this.connection(signal), method: 'POST', url, headers, body }, async (response) => ({
      status: response.statusCode ?? 0,
      retryAfterSeconds: retryAfterSeconds(response.headers['retry-after']),
      body: await readText(response),
    }));
  }

  /**
   * Asks by QIDO-RS which instances of a study the PACS holds, page by page.
   *
   * @param wanted - SOP Instance UIDs; the asking ends when all of them were seen
   * @throws PacsUnavailable
   */
  async queryInstances(
    studyInstanceUid: string,
    wanted: readonly string[],
    signal: AbortSignal,
  ): Promise<HeldInstances> {
    const held = new Map<string, string | undefined>();
    const missing = new Set(wanted);
    for (let offset = 0; ; ) {
      const path = `/studies/${encodeURIComponent(studyInstanceUid)}/instances?limit=${PAGE}&offset=${offset}`;
      const page = await this.get(path, DICOM_JSON, signal, readQueryPage);
      const before = held.size;
      for (const dataset of page) {
        // An archive ignores keys it does not know, so what comes back may be another study's.
        const study = uidValue(dataset, STUDY_INSTANCE_UID);
        const uid = uidValue(dataset, SOP_INSTANCE_UID);
        if (uid === undefined || (study !== undefined && study !== studyInstanceUid)) continue;
        held.set(uid, uidValue(dataset, SERIES_INSTANCE_UID));
        missing.delete(uid);
      }
      // A page without news is the end: some archives give fewer than asked for, some ignore the offset.
      if (held.size === before || missing.size === 0) return held;
      offset += page.length;
    }
  }

  /**
   * Retrieves one instance by WADO-RS in the transfer syntax it is stored in.
   *
   * @param read - consumes the object's bytes as they stream in
   * @returns undefined when the PACS does not hand it out
   * @throws PacsUnavailable
   */
  async retrieveInstance<T>(
    studyInstanceUid: string,
    seriesInstanceUid: string,
    sopInstanceUid: string,
    read: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const [study, series, instance] = [studyInstanceUid, seriesInstanceUid, sopInstanceUid].map(
      encodeURIComponent,
    );
    const path = `/studies/${study}/series/${series}/instances/${instance}`;
    const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
    return this.get(path, accept, signal, async (response) => {
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        await readText(response);
        if (status === 429 || status === 503) throw unavailable(response, 'WADO-RS');
        return undefined;
      }
      const boundary = boundaryOf(response.headers['content-type']);
      try {
        return await read(boundary === undefined ? response : firstPart(response, boundary));
      } catch (error) {
        if (error instanceof MalformedMultipart) return undefined;
        throw error;
      }
    });
  }

  /** Closes the kept connections. */
  close(): void {
    this.agent.destroy();
  }

  private connection(signal: AbortSignal) {
    return { agent: this.agent, timeoutMs: this.timeoutMs, signal };
  }

  /** A GET may be repeated at once where a kept connection was found closed. */
  private async get<T>(
    path: string,
    accept: string,
    signal: AbortSignal,
    read: (response: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const url = new URL(this.root + path);
    const headers = { ...this.auth, Accept: accept };
    const ask = () => exchange({ ...this.connection(signal), method: 'GET', url, headers }, read);
    try {
      return await ask();
    } catch (error) {
      if (error instanceof PacsUnavailable && error.staleConnection) return ask();
      throw error;
    }
  }
}

/** `none` sends no header at all: the unsecured dcm4chee answers 403 to any Authorization. */
function authorization(auth: PacsAuth): OutgoingHttpHeaders {
  if (auth.mode === 'none') return {};
  if (auth.mode === 'bearer') return { Authorization: `Bearer ${auth.token}` };
  const credentials = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  return { Authorization: `Basic ${credentials}` };
}

/** 204, an empty list and (in some archives) 404 all say that the study is not there. */
async function readQueryPage(response: IncomingMessage): Promise<unknown[]> {
  const status = response.statusCode ?? 0;
  const text = await readText(response);
  if (status === 204 || status === 404) return [];
  if (status !== 200 && status !== 206) throw unavailable(response, 'QIDO-RS');
  try {
    const page: unknown = text === '' ? [] : JSON.parse(text);
    if (Array.isArray(page)) return page;
  } catch {
    // Said below, without the text: it may hold patient data.
  }
  throw new PacsUnavailable('misconfigured', 'The answer to QIDO-RS is not DICOM JSON', { status });
}

/** What an HTTP status that is no answer to the question says about the PACS. */
function unavailable(response: IncomingMessage, service: string): PacsUnavailable {
  const status = response.statusCode ?? 0;
  const wait = retryAfterSeconds(response.headers['retry-after']);
  return new PacsUnavailable(
    unavailableKind(status) ?? 'misconfigured',
    `${service} was answered with ${status}`,
    {
      status,
      ...(wait === undefined ? {} : { retryAfterSeconds: wait }),
    },
  );
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) {
      throw new PacsUnavailable(
        'misconfigured',
        'The answer is larger than any answer to this question can be',
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
