import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import type { PageUpload } from './uppy-page-script.js';

export type { PageUpload } from './uppy-page-script.js';

/** A page of another origin than RelayPACS that holds tus-js-client and Uppy. */
export interface UppyPage {
  /** What `CORS_ORIGINS` must name. */
  readonly origin: string;
  /**
   * Sends files from a fresh page.
   *
   * @returns their tus URLs
   */
  send(browser: Browser, by: 'sendByTus' | 'sendByUppy', upload: PageUpload): Promise<string[]>;
  stop(): Promise<void>;
}

/** The content of the n-th file the page sends; the same rule stands in {@link PageUpload}. */
export function pageFile(size: number, n: number): Buffer {
  return Buffer.from(new Uint8Array(size).map((_, i) => (i * 31 + n * 7 + (i >> 8)) & 255));
}

export async function startUppyPage(): Promise<UppyPage> {
  const bundle = await build({
    entryPoints: [path.join(import.meta.dirname, 'uppy-page-script.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'silent',
  });
  const script = bundle.outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/script.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(
      isScript ? script : '<!doctype html><title>Elsewhere</title><script src="/script.js"></script>',
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    async send(browser, by, upload) {
      const page = await browser.newPage();
      try {
        await page.goto(origin);
        return await page.evaluate(([name, given]) => (globalThis as unknown as Senders)[name](given), [
          by,
          upload,
        ] as const);
      } finally {
        await page.close();
      }
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Senders = Record<'sendByTus' | 'sendByUppy', (upload: PageUpload) => Promise<string[]>>;
