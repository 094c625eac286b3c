import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
}

/** Stands before a real S3 service, counts what is asked of it, and can refuse. */
export class S3Proxy {
  readonly endpoint: string;
  readonly seen: SeenRequest[] = [];
  /** Requests that are answered with an internal error. */
  refuse: (seen: SeenRequest) => boolean = () => false;
  /** While it is set nothing is read nor answered, as by a service that hangs. */
  private held: { until: Promise<void>; end: () => void } | undefined;
  private readonly server: Server;

  private constructor(server: Server, target: URL) {
    this.server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', async (incoming, outgoing) => {
      const { method = '', url = '', headers } = incoming;
      const seen = { method, url, headers };
      this.seen.push(seen);
      await this.held?.until;
      if (this.refuse(seen)) {
        incoming.resume().once('end', () => outgoing.writeHead(500).end());
        return;
      }
      // The signature covers the Host header, which the service does not mind being ours.
      const onward = request({
        host: target.hostname,
        port: target.port,
        method,
        path: url,
        headers,
        agent: false,
      });
      onward.once('response', (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, outgoing, () => {});
      });
      pipeline(incoming, onward, (error) => error && outgoing.destroy());
      onward.once('error', () => outgoing.destroy());
    });
  }

  /** @param target - root of the S3 service */
  static async start(target: string): Promise<S3Proxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new S3Proxy(server, new URL(target));
  }

  /** Methods of the requests since the last call, in order. */
  takeMethods(): string[] {
    return this.seen.splice(0).map(({ method }) => method);
  }

  /** Lets nothing pass until {@link release}. */
  hold(): void {
    let end = () => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.held = { until, end };
  }

  release(): void {
    this.held?.end();
    this.held = undefined;
  }

  async close(): Promise<void> {
    this.release();
    this.server.close();
    this.server.closeAllConnections();
  }
}
