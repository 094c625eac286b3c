import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import express from 'express';
import { afterEach, expect, it } from 'vitest';
import { problemHandler } from './problem-responses.js';

let server: http.Server | undefined;
afterEach(() => server?.close());

it('answers a value the database refuses with 422 and keeps the value out of the log', async () => {
  let log = '';
  const logger = createLogger('test', 'debug');
  for (const transport of logger.transports) transport.silent = true;
  logger.on('data', (line: object) => {
    log += JSON.stringify(line);
  });
  const app = express();
  app.get('/', () => {
    // As pg reports it: SQLSTATE 22007, invalid_datetime_format.
    throw Object.assign(new Error('invalid input syntax for type date: "Roe^Mary"'), { code: '22007' });
  });
  app.use(problemHandler(logger));
  server = http.createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  const { port } = server.address() as AddressInfo;

  const answer = await fetch(`http://127.0.0.1:${port}/`);
  const text = await answer.text();
  expect(JSON.parse(text)).toMatchObject({ status: 422, code: 'VALIDATION_FAILED' });
  expect(text).not.toContain('Roe');
  await expect.poll(() => log).toContain('"code":"22007"');
  expect(log).not.toContain('Roe');
});
