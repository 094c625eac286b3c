import type { Metrics } from '@relaypacs/core/observability/metrics.js';
import type { RequestHandler } from 'express';

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];

/** Counts every request by the class of its answer; those nobody was left to answer count as `none`. */
export function requestMetrics(metrics: Metrics): RequestHandler {
  const requests = metrics.counter({
    name: 'http_requests_total',
    help: 'HTTP requests by class of status; "none": the client was gone before its answer',
    labels: ['status'],
  });
  for (const status of CLASSES.slice(1)) requests.inc({ status }, 0);
  return (_req, res, next) => {
    res.once('close', () => {
      const status = CLASSES[Math.trunc(res.statusCode / 100) - 1];
      requests.inc({ status: res.headersSent && status ? status : 'none' });
    });
    next();
  };
}
