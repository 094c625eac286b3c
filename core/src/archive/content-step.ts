/**
 * One step into a container: which of its bytes are the content, and whether they are deflated (RFC 1951). A file in
 * a ZIP is one step away from the uploaded file, a file in a nested ZIP two; a gzip'ed file is one deflated step.
 * Steps are stored with an instance, so that its bytes are read in place whenever they are needed.
 */
export interface ContentStep {
  /** Where the content begins in what surrounds it, in bytes. */
  offset: number;
  /** Bytes it takes there. */
  storedBytes: number;
  /** Bytes of the content itself. */
  bytes: number;
  deflated: boolean;
}
