import type { Failure } from './failure.js';

/** One file of a study, as it lies on the device. */
export interface FileToSend {
  /** Ours, and the same at every attempt, so that the server makes one file of them. */
  clientId: string;
  blob: Blob;
  name: string;
  relativePath: string;
}

export interface Destination {
  uploadId: string;
  /** URL of the tus endpoint, as the server names it, or a path on the page's own origin. */
  endpoint: string;
  token: string;
  /** Bytes of one request. */
  chunkSize: number;
}

/** `url` is where the file goes on from at the next attempt, when the server has named it. */
export type Attempt = { sent: true } | { sent: false; failure: Failure; url: string | undefined };

/** Moves files to the server. One attempt for each call: who calls decides whether to try again. */
export interface FileTransport {
  /** @param onProgress - told the bytes of this file that have left the device */
  send(
    file: FileToSend,
    to: Destination,
    url: string | undefined,
    onProgress: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Attempt>;
  /** Stops what is under way without losing what has arrived. */
  pause(): void;
  resume(): void;
  close(): void;
}
