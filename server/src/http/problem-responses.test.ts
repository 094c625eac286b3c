import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import express from 'express';
import { afterEach, expect, it } from 'vitest';
import { problemHandler } from './problem-responses.js';

let server: http.Server | undefined;

/** Serves `app` until the test ends; the address it answers at. */
async function serve(app: express.Express): Promise<string> {
  server = http.createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
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
  const answer = await fetch(await serve(app));
  const text = await answer.text();
  expect(JSON.parse(text)).toMatchObject({ status: 422, code: 'VALIDATION_FAILED' });
  expect(text).not.toContain('Roe');
  await expect.poll(() => log).toContain('"code":"22007"');
  expect(log).not.toContain('Roe');
});

it('says of a body that is no JSON what to put right', async () => {
  const app = express();
  app.use(express.json());
  app.use(problemHandler(createLogger('test', 'error')));
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(await serve(app), { method: 'POST', headers, body: '{"a":' });
  expect(await answer.json()).toMatchObject({
    status: 400,
    code: 'MALFORMED_REQUEST',
    detail: expect.stringMatching(/no JSON object\. Nothing was changed; correct it/),
  });
});
