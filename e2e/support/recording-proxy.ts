import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Stands between the worker and a PACS and remembers which objects the PACS was made to store. */
export interface RecordingProxy {
  /** DICOMweb root to give to the worker. */
  url: string;
  /** How often each of the given SOP Instance UIDs stood in a STOW-RS request that the PACS answered with success. */
  stores(sopInstanceUids: Iterable<string>): Map<string, number>;
  /** Milliseconds each STOW-RS request is held back, so that a test can strike in the middle. */
  delayMs: number;
  /** The next STOW-RS answer is lost after the PACS has stored the objects. */
  loseNextAnswer: boolean;
  close(): Promise<void>;
}

/** @param target - DICOMweb root of the PACS */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const root = new URL(target);
  const bodies: string[] = [];

  async function pass(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await buffer(req);
    const isStow = req.method === 'POST';
    if (isStow && proxy.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, proxy.delayMs));
    if (req.socket.destroyed) return;
    const headers = { ...req.headers, host: root.host, connection: 'close' };
    const onward = httpRequest({
      host: root.hostname,
      port: root.port,
      path: req.url,
      method: req.method,
      headers,
    });
    onward.on('error', () => req.socket.destroy());
    onward.on('response', async (answer) => {
      const content = await buffer(answer);
      if (isStow && answer.statusCode === 200) bodies.push(body.toString('latin1'));
      if (isStow && proxy.loseNextAnswer) {
        proxy.loseNextAnswer = false;
        req.socket.destroy();
        return;
      }
      res.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
    });
    onward.end(body);
  }

  const server: Server = createServer((req, res) => {
    pass(req, res).catch(() => req.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: RecordingProxy = {
    url: `http://127.0.0.1:${port}${root.pathname}`,
    stores(uids) {
      return new Map([...uids].map((uid) => [uid, bodies.filter((body) => body.includes(uid)).length]));
    },
    delayMs: 0,
    loseNextAnswer: false,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
