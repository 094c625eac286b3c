// Runs in the browser: what a page of somebody else's does to send files.
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import * as tus from 'tus-js-client';

export interface PageUpload {
  endpoint: string;
  token: string;
  /** Bytes of each file: byte `i` of file `n` is `(i * 31 + n * 7 + (i >> 8)) & 255`. */
  sizes: number[];
  chunkSize: number;
  metadata?: Record<string, string>;
}

const fileOf = (size: number, n: number) => {
  const bytes = new Uint8Array(size).map((_, i) => (i * 31 + n * 7 + (i >> 8)) & 255);
  return new File([bytes], `Bild ${n} ä.dcm`, { type: 'application/dicom' });
};

/** Sends the files by tus-js-client alone, at once. */
async function sendByTus({
  endpoint,
  token,
  sizes,
  chunkSize,
  metadata = {},
}: PageUpload): Promise<string[]> {
  const headers = { Authorization: `Bearer ${token}` };
  const send = (file: File) =>
    new Promise<string>((resolve, reject) => {
      const upload = new tus.Upload(file as never, {
        endpoint,
        chunkSize,
        headers,
        metadata: { filename: file.name, ...metadata },
        onSuccess: () => resolve(upload.url ?? ''),
        onError: reject,
      });
      upload.start();
    });
  return Promise.all(sizes.map((size, n) => send(fileOf(size, n))));
}

/** Sends the files by Uppy, as its documentation shows. */
async function sendByUppy({
  endpoint,
  token,
  sizes,
  chunkSize,
  metadata = {},
}: PageUpload): Promise<string[]> {
  const uppy = new Uppy({ meta: metadata }).use(Tus, {
    endpoint,
    chunkSize,
    headers: { Authorization: `Bearer ${token}` },
  });
  sizes.forEach((size, n) => {
    const file = fileOf(size, n);
    uppy.addFile({ name: file.name, type: file.type, data: file as never });
  });
  const result = await uppy.upload();
  if (result?.failed?.length) throw new Error(result.failed.map(({ error }) => error).join('\n'));
  return (result?.successful ?? []).map(({ uploadURL }) => uploadURL ?? '');
}

Object.assign(globalThis, { sendByTus, sendByUppy });
