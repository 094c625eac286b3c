import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Platform } from '../platform.js';
import { bearsToken } from './metrics-access.js';

export interface MetricsServer {
  /** `http://host:port` */
  address: string;
  close(): void;
}

/**
 * Serves `GET /metrics` and nothing else on a port of its own, which need not be open to the people who upload. Asks
 * for METRICS_TOKEN where there is one.
 *
 * @param port - undefined: nothing is served
 * @throws when the port cannot be listened on
 */
export async function serveMetrics(
  { metrics, config, logger }: Pick<Platform, 'metrics' | 'config' | 'logger'>,
  port: number | undefined,
): Promise<MetricsServer | undefined> {
  if (port === undefined) return undefined;
  const { token } = config.metrics;
  const server = http.createServer(async ({ url, method, headers }, res) => {
    const refuse = (status: number, text: string) => {
      res.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${text}\n`);
    };
    if (url?.split('?', 1)[0] !== '/metrics') return refuse(404, 'Metrics are at /metrics.');
    if (method !== 'GET') return refuse(405, 'Metrics can only be read.');
    if (token !== undefined && !bearsToken(headers.authorization, token)) {
      res.setHeader('WWW-Authenticate', 'Bearer');
      return refuse(401, 'Send the METRICS_TOKEN as bearer token.');
    }
    try {
      const text = await metrics.text();
      res.writeHead(200, { 'Content-Type': metrics.contentType, 'Cache-Control': 'no-store' }).end(text);
    } catch (error) {
      logger.warn('The metrics could not be read', { error });
      refuse(500, 'The metrics could not be read.');
    }
  });
  server.listen(port, config.host);
  await once(server, 'listening');
  const { address, port: boundPort } = server.address() as AddressInfo;
  return {
    address: `http://${address}:${boundPort}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
