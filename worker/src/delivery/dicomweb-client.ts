import type { Agent, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { PacsConfig } from '@relaypacs/core/config.js';
import { readText } from './answer-text.js';
import { uidValue } from './dicom-json.js';
import { type Exchange, exchange, openAgent, PACS, type Timeouts } from './http-exchange.js';
import { boundaryOf, firstPart, MalformedMultipart, type StowPart, stowBody } from './multipart.js';
import { NotHandedOut } from './not-handed-out.js';
import type { PacsAccess } from './pacs-access.js';
import { PacsUnavailable, retryAfterSeconds, unavailableKind } from './pacs-unavailable.js';

const DICOM_JSON = 'application/dicom+json';
const STUDY_INSTANCE_UID = '0020000D';
const SERIES_INSTANCE_UID = '0020000E';
const SOP_INSTANCE_UID = '00080018';
/**
 * Instances asked for in one QIDO-RS request; Orthanc needs about 2 KB for each. Azure answers 400 to more than 200
 * (its DICOM conformance statement v2, "Supported search parameters").
 */
const PAGE = 200;
/** Pages of a large study asked for side by side, at most: archives look them up one instance after another. */
const PAGES_AT_ONCE = 3;
/** As what an instance is retrieved, in the transfer syntax it is stored in (PS3.18 8.7.3.5). */
const AS_MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*';
/** The one form AWS HealthImaging documents (dicomweb-retrieve-instance in its developer guide). */
const AS_SINGLE_PART = 'application/dicom; transfer-syntax=*';
const MOST_ANSWER_BYTES = 32 * 1024 * 1024;
/** Statuses that say nothing of the instance asked for: the PACS, or what stands before it, is busy or away. */
const PASSING = [408, 424, 425, 429, 502, 503, 504];
/** Statuses that refuse whoever asks, or how it is asked, whatever the instance. */
const REFUSING = [401, 403, 406, 407];

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
  private readonly headers: Readonly<Record<string, string>>;
  private readonly access: PacsAccess;
  private readonly agent: Agent;
  private readonly timeouts: Timeouts & { answerMs: number };
  /** As what instances are retrieved: the other form once the PACS has taken that and not this one. */
  private retrievedAs = AS_MULTIPART;

  /** @param access - what is kept for this PACS beyond one client: its tokens and certificates */
  constructor(pacs: PacsConfig, access: PacsAccess) {
    this.root = pacs.url.replace(/\/+$/, '');
    this.headers = pacs.headers;
    this.access = access;
    this.agent = openAgent(new URL(this.root).protocol, access.secureContext);
    this.timeouts = {
      connectMs: pacs.connectTimeoutMs,
      silenceMs: pacs.timeoutMs,
      answerMs: pacs.answerTimeoutMs,
    };
  }

  /**
   * Sends instances in one STOW-RS request, streamed.
   *
   * @param onTaken - called whenever the PACS has taken some of it
   * @throws PacsUnavailable when no complete answer came, or the access token was refused: what was stored is then
   * unknown
   * @throws StoredBytesDamaged when a part is not what was accepted; the request was broken off inside that part
   */
  async stow(
    parts: readonly StowPart[],
    signal: AbortSignal,
    onTaken: () => void = () => {},
  ): Promise<StowReply> {
    const body = stowBody(parts, onTaken);
    const path = '/studies';
    const headers = { Accept: DICOM_JSON, 'Content-Type': body.contentType };
    const { timeouts } = this;
    return this.ask({ method: 'POST', path, headers, body, timeouts, signal }, true, async (response) => ({
      status: response.statusCode ?? 0,
      retryAfterSeconds: retryAfterSeconds(response.headers['retry-after']),
      body: await readText(response, MOST_ANSWER_BYTES),
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
    let atOnce = Math.min(PAGES_AT_ONCE, Math.max(1, Math.ceil(wanted.length / PAGE)));
    for (let offset = 0; ; ) {
      const offsets = Array.from({ length: atOnce }, (_, i) => offset + i * PAGE);
      const pages = await Promise.all(offsets.map((from) => this.queryPage(studyInstanceUid, from, signal)));
      const before = held.size;
      for (const [nth, { length, found }] of pages.entries()) {
        for (const [uid, series] of found) {
          held.set(uid, series);
          missing.delete(uid);
        }
        offset = (offsets[nth] ?? offset) + length;
        if (length < PAGE) {
          // The archive gives fewer than asked for, or there are no more: what was asked for beyond leaves a gap.
          atOnce = 1;
          break;
        }
      }
      // Pages without news are the end: some archives ignore the offset.
      if (held.size === before || missing.size === 0) return held;
    }
  }

  /** @returns how many instances the PACS listed, and SOP and Series Instance UIDs of those of the study */
  private async queryPage(
    studyInstanceUid: string,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ length: number; found: Array<[sop: string, series: string | undefined]> }> {
    const path = `/studies/${encodeURIComponent(studyInstanceUid)}/instances?limit=${PAGE}&offset=${offset}`;
    const page = await this.get(path, DICOM_JSON, signal, readQueryPage);
    const found = page.flatMap((dataset): Array<[string, string | undefined]> => {
      // An archive ignores keys it does not know, so what comes back may be another study's.
      const study = uidValue(dataset, STUDY_INSTANCE_UID);
      const uid = uidValue(dataset, SOP_INSTANCE_UID);
      if (uid === undefined || (study !== undefined && study !== studyInstanceUid)) return [];
      return [[uid, uidValue(dataset, SERIES_INSTANCE_UID)]];
    });
    return { length: page.length, found };
  }

  /**
   * Asks whether the PACS is there and lets us in, by a query that finds nothing and reads nobody's data.
   *
   * @throws PacsUnavailable
   */
  async ping(signal: AbortSignal): Promise<void> {
    const check = async (response: IncomingMessage) => {
      await readText(response, MOST_ANSWER_BYTES);
      return response.statusCode === 404 ? 'not-found' : checkFound(response);
    };
    const path = `/studies?limit=1&StudyInstanceUID=${NO_STUDY}`;
    if ((await this.get(path, DICOM_JSON, signal, check)) !== 'not-found') return;
    // Some archives say so of a study that is not there, a wrong address says so of everything.
    await this.get('/studies?limit=1', DICOM_JSON, signal, async (response) => {
      await readText(response, MOST_ANSWER_BYTES);
      checkFound(response);
    });
  }

  /**
   * Retrieves one instance by WADO-RS in the transfer syntax it is stored in: as multipart, or, from a PACS that
   * answers 406 to that, as a single part.
   *
   * @param read - consumes the object's bytes as they stream in
   * @throws NotHandedOut, or PacsUnavailable
   */
  async retrieveInstance<T>(
    studyInstanceUid: string,
    seriesInstanceUid: string,
    sopInstanceUid: string,
    read: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const [study, series, instance] = [studyInstanceUid, seriesInstanceUid, sopInstanceUid].map(
      encodeURIComponent,
    );
    const path = `/studies/${study}/series/${series}/instances/${instance}`;
    const as = this.retrievedAs;
    try {
      return await this.retrieve(path, as, read, signal);
    } catch (error) {
      if (!(error instanceof NotHandedOut) || error.refusal?.status !== 406) throw error;
      const other = as === AS_MULTIPART ? AS_SINGLE_PART : AS_MULTIPART;
      const result = await this.retrieve(path, other, read, signal);
      this.retrievedAs = other;
      return result;
    }
  }

  private retrieve<T>(
    path: string,
    accept: string,
    read: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return this.get(path, accept, signal, async (response) => {
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        await readText(response, MOST_ANSWER_BYTES);
        const error = unavailable(response, 'WADO-RS');
        if (PASSING.includes(status)) throw error;
        throw new NotHandedOut(error.message, REFUSING.includes(status) ? error : undefined);
      }
      const boundary = boundaryOf(response.headers['content-type']);
      try {
        return await read(boundary === undefined ? response : firstPart(response, boundary));
      } catch (error) {
        if (error instanceof MalformedMultipart) throw new NotHandedOut(error.message);
        throw error;
      }
    });
  }

  /** Closes the kept connections. */
  close(): void {
    this.agent.destroy();
  }

  /** A GET may be repeated at once where a kept connection was found closed, or the access token had run out. */
  private async get<T>(
    path: string,
    accept: string,
    signal: AbortSignal,
    read: (response: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { connectMs, silenceMs } = this.timeouts;
    const headers = { Accept: accept };
    const question = { method: 'GET' as const, path, headers, timeouts: { connectMs, silenceMs }, signal };
    const ask = async (mayRenew: boolean) => {
      try {
        return await this.ask(question, mayRenew, read);
      } catch (error) {
        if (!(error instanceof PacsUnavailable && error.staleConnection)) throw error;
        return this.ask(question, mayRenew, read);
      }
    };
    try {
      return await ask(true);
    } catch (error) {
      if (error instanceof PacsUnavailable && error.staleToken) return ask(false);
      throw error;
    }
  }

  /**
   * @param mayRenew - a 401 may be the end of the access token and is then thrown, as one that is worth a repetition;
   * otherwise it is an answer like others
   */
  private async ask<T>(
    { path, ...question }: Omit<Exchange, 'url' | 'agent' | 'peer'> & { path: string },
    mayRenew: boolean,
    read: (response: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { agent, access } = this;
    const url = new URL(this.root + path);
    const authorization = await access.authorization.header(question.signal);
    const headers: OutgoingHttpHeaders = { ...this.headers, ...question.headers };
    // Not even an empty one where there is none: the unsecured dcm4chee answers 403 to any Authorization.
    if (authorization !== undefined) headers.Authorization = authorization;
    return exchange({ ...question, url, headers, agent, peer: PACS }, async (response) => {
      const expired = response.statusCode === 401 && authorization !== undefined && mayRenew;
      if (!expired || !access.authorization.refused(authorization)) return read(response);
      // The status says it all; with a body it did not want to read, the PACS may have closed the connection already.
      await readText(response, MOST_ANSWER_BYTES).catch(() => {});
      throw new PacsUnavailable('denied', `The PACS refuses the access token (${SIGN_IN_SETTINGS})`, {
        status: 401,
        staleToken: true,
      });
    });
  }
}

/** A Study Instance UID that is nobody's: below the root that PS3.5 annex B.2 gives UUIDs, but none. */
const NO_STUDY = '2.25.0';

/** @throws PacsUnavailable for an answer that is none to a query */
function checkFound(response: IncomingMessage): void {
  if (![200, 204, 206].includes(response.statusCode ?? 0)) throw unavailable(response, 'QIDO-RS');
}

/** What decides whether the PACS takes a token that is renewed. */
const SIGN_IN_SETTINGS =
  'PACS_OIDC_SCOPE, PACS_OIDC_AUDIENCE or PACS_TOKEN_FILE, or what the client may do there';

/** 204, an empty list and (in some archives) 404 all say that the study is not there. */
async function readQueryPage(response: IncomingMessage): Promise<unknown[]> {
  const status = response.statusCode ?? 0;
  const text = await readText(response, MOST_ANSWER_BYTES);
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
