import { type Body, Uppy, type UppyEventMap } from '@uppy/core';
import Tus, { type TusOpts } from '@uppy/tus';
import { DefaultHttpStack, type DetailedError, type HttpStack } from 'tus-js-client';
import { parseProblem, secondsOf } from '../api/problem-error.js';
import type { Failure } from './failure.js';
import type { Attempt, Destination, FileToSend, FileTransport } from './transport.js';

// Uppy adds name and type of its own; only these go to the server.
const METADATA = ['uploadId', 'filename', 'filetype', 'relativePath', 'clientId'];
type FileMeta = {
  uploadId: string;
  filename: string;
  filetype: string;
  relativePath: string;
  clientId: string;
};
type Options = TusOpts<FileMeta, Body>;

export interface TusTransportOptions {
  /** Scheme, host and port that requests go to. */
  origin: string;
  /** For tests: in Node tus-js-client cannot read a Blob. */
  fileReader?: Options['fileReader'];
}

/**
 * {@link FileTransport} by Uppy and tus. A file is known to Uppy only while it is being sent: Uppy copies its
 * whole state for every change, so that two thousand files at once would cost minutes.
 */
export function createTusTransport({ origin, fileReader }: TusTransportOptions): FileTransport {
  const silent = { debug() {}, warn() {}, error() {} };
  const uppy = new Uppy<FileMeta, Body>({ id: 'relaypacs', logger: silent }).use(Tus<FileMeta, Body>, {
    limit: 0,
    allowedMetaFields: METADATA,
    uploadDataDuringCreation: true,
    // Thousands of remembered addresses would fill localStorage.
    storeFingerprintForResuming: false,
    // Attempts are counted and spaced by the sending engine, which knows the network and the upload.
    retryDelays: [],
    httpStack: stackOf(origin),
    ...(fileReader ? { fileReader } : {}),
  });
  const tus = uppy.getPlugin<Tus<FileMeta, Body>>('Tus');
  const underWay = new Map<string, { onProgress(bytes: number): void; end(attempt: Attempt): void }>();

  uppy.on('upload-progress', (file, progress) => {
    if (file) underWay.get(file.id)?.onProgress(Number(progress.bytesUploaded) || 0);
  });
  uppy.on('upload-success', (file) => {
    if (file) underWay.get(file.id)?.end({ sent: true });
  });
  const onError: UppyEventMap<FileMeta, Body>['upload-error'] = (file, error) => {
    if (!file) return;
    underWay.get(file.id)?.end({ sent: false, failure: failureOf(error), url: addressOf(file.id) });
  };
  uppy.on('upload-error', onError);

  const addressOf = (id: string) => uppy.getFile(id)?.tus?.uploadUrl ?? undefined;

  /** Takes a file out of Uppy. To remove a file that has an uploader would delete it from the server as well. */
  const forget = (id: string) => {
    if (tus) {
      if (!uppy.getFile(id)?.progress.uploadComplete) tus.uploaders[id]?.abort();
      tus.uploaders[id] = null;
    }
    uppy.removeFile(id);
  };

  return {
    send: (file, to, url, onProgress, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve({ sent: false, failure: {}, url });
        const id = uppy.addFile(descriptorOf(file, to));
        const end = (attempt: Attempt) => {
          signal.removeEventListener('abort', stop);
          underWay.delete(id);
          forget(id);
          resolve(attempt);
        };
        const stop = () => end({ sent: false, failure: {}, url: addressOf(id) ?? url });
        signal.addEventListener('abort', stop, { once: true });
        underWay.set(id, { onProgress, end });
        uppy.setFileState(id, {
          tus: {
            endpoint: new URL(to.endpoint, origin).href,
            chunkSize: to.chunkSize,
            headers: { Authorization: `Bearer ${to.token}` },
            ...(url === undefined ? {} : { uploadUrl: new URL(url, origin).href }),
          },
        });
        uppy.upload().catch((error: unknown) => {
          underWay.get(id)?.end({ sent: false, failure: { detail: String(error) }, url });
        });
      }),
    pause: () => uppy.pauseAll(),
    resume: () => uppy.resumeAll(),
    close: () => uppy.destroy(),
  };
}

function descriptorOf(file: FileToSend, to: Destination) {
  return {
    // Uppy derives a file's identity from its name: two slices may share name and size.
    name: file.clientId,
    type: 'application/dicom',
    data: file.blob,
    meta: {
      uploadId: to.uploadId,
      filename: file.name,
      filetype: 'application/dicom',
      relativePath: file.relativePath,
      clientId: file.clientId,
    },
  };
}

/**
 * The server names addresses under its public name. The page may have been opened under another one (a host name
 * of the local network, a proxy), and may talk to its own origin only.
 */
function stackOf(origin: string): HttpStack {
  const stack = new DefaultHttpStack({});
  return {
    getName: () => stack.getName(),
    createRequest(method, url) {
      const { pathname, search } = new URL(url, origin);
      return stack.createRequest(method, origin + pathname + search);
    },
  };
}

function failureOf(error: Error): Failure {
  // Uppy wraps what it takes for a network error and keeps the error of tus-js-client as the cause.
  const { originalResponse } = error as Partial<DetailedError>;
  if (!originalResponse) return {};
  const { code, detail } = parseProblem(originalResponse.getBody() ?? '');
  return {
    status: originalResponse.getStatus(),
    code,
    detail,
    retryAfter: secondsOf(originalResponse.getHeader('Retry-After')),
  };
}
