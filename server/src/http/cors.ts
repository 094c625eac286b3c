import type { Config } from '@relaypacs/core/config.js';
import cors from 'cors';
import type { RequestHandler } from 'express';

const TUS_HEADERS = [
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Checksum-Algorithm',
  'Upload-Checksum',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
];

const RATE_LIMIT_HEADERS = ['RateLimit-Policy', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];

/**
 * Lets pages of the configured origins use the API and the tus endpoint. Tokens travel in a header and never in a
 * cookie there, so credentials are not allowed.
 */
export function corsFor({ origins }: Config['cors']): RequestHandler {
  return cors({
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'X-Request-Id',
      'X-HTTP-Method-Override',
      ...TUS_HEADERS,
    ],
    exposedHeaders: ['Location', 'Retry-After', 'X-Request-Id', ...RATE_LIMIT_HEADERS, ...TUS_HEADERS],
    maxAge: 86_400,
    // OPTIONS without an origin is a tus client asking what the server can do.
    preflightContinue: true,
  });
}
