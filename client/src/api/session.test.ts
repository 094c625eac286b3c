import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NetworkError, ProblemError } from './problem-error.js';
import { exclusiveAmongTabs, Session } from './session.js';

type Answer = { status: number; body?: unknown };
let answers: Record<string, (request: IncomingMessage) => Answer | 'drop'>;
let requests: string[];
let now: number;
const http = createServer((request, response) => handle(request, response));

function handle(request: IncomingMessage, response: ServerResponse): void {
  const name = `${request.method} ${request.url}`;
  requests.push(name);
  request.resume();
  const answer = answers[name]?.(request) ?? { status: 404 };
  if (answer === 'drop') return void request.socket.destroy();
  response.writeHead(answer.status, { 'Content-Type': 'application/json' });
  response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
}

const user = { id: 'u1', username: 'sarah' };
const REFRESH = 'POST /api/v1/auth/refresh';
const signedOut = { status: 401, body: { code: 'UNAUTHENTICATED', detail: 'Please sign in.' } };

beforeEach(async () => {
  requests = [];
  now = 0;
  let tokens = 0;
  answers = {
    [REFRESH]: () => {
      tokens += 1;
      return { status: 200, body: { accessToken: `access-${tokens}`, expiresIn: 3600, user } };
    },
    'GET /api/v1/me': (request) =>
      request.headers.authorization === `Bearer access-${tokens}` ? { status: 200, body: user } : signedOut,
  };
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

function newSession(): Session {
  return new Session({
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    exclusively: exclusiveAmongTabs('test', undefined),
    now: () => now,
  });
}

const refreshes = () => requests.filter((name) => name === REFRESH).length;

it('takes up the session of the cookie', async () => {
  const session = newSession();
  await session.restore();
  expect(session.value).toMatchObject({ status: 'signedIn', user });
});

it('tells a person who is not signed in from a server that cannot be asked', async () => {
  answers[REFRESH] = () => signedOut;
  const session = newSession();
  await session.restore();
  expect(session.value).toEqual({ status: 'signedOut', why: 'neverSignedIn' });

  answers[REFRESH] = () => 'drop';
  const unreachable = newSession();
  await unreachable.restore();
  expect(unreachable.value).toEqual({ status: 'unreachable' });
});

it('refreshes once for many calls at the same time', async () => {
  const session = newSession();
  await Promise.all([1, 2, 3, 4].map(() => session.call('GET', '/api/v1/me')));
  expect(refreshes()).toBe(1);
});

it('replaces a token that is about to end before it uses it', async () => {
  const session = newSession();
  await session.restore();
  now = 3_600_000 - 59_000;
  await session.call('GET', '/api/v1/me');
  expect(requests).toEqual([REFRESH, REFRESH, 'GET /api/v1/me']);
});

it('refreshes and repeats the call when the token is refused before its time', async () => {
  const session = newSession();
  await session.restore();
  await newSession().restore();
  expect(await session.call('GET', '/api/v1/me')).toEqual(user);
  expect(refreshes()).toBe(3);
});

it('ends when the refresh token is refused, and says that it was not the person', async () => {
  const session = newSession();
  await session.restore();
  answers[REFRESH] = () => signedOut;
  answers['GET /api/v1/me'] = () => signedOut;
  await expect(session.call('GET', '/api/v1/me')).rejects.toThrow(ProblemError);
  expect(session.value).toEqual({ status: 'signedOut', why: 'ended' });
  await session.restore();
  expect(session.value).toEqual({ status: 'signedOut', why: 'ended' });
});

it('signs out at the server and here, and stays signed in when the server cannot be told', async () => {
  const session = newSession();
  await session.restore();
  answers['POST /api/v1/auth/logout'] = () => 'drop';
  await expect(session.signOut()).rejects.toThrow(NetworkError);
  expect(session.value.status).toBe('signedIn');
  answers['POST /api/v1/auth/logout'] = () => ({ status: 204 });
  await session.signOut();
  expect(session.value).toEqual({ status: 'signedOut', why: 'left' });
});

it('stays signed in when the network is lost', async () => {
  const session = newSession();
  await session.restore();
  now = 3_600_000;
  answers[REFRESH] = () => 'drop';
  await expect(session.call('GET', '/api/v1/me')).rejects.toThrow(NetworkError);
  expect(session.value.status).toBe('signedIn');
});

it('gives the problem of the server in its own words', async () => {
  const session = newSession();
  await session.restore();
  const detail = 'This study was sent before.';
  answers['GET /api/v1/me'] = () => ({ status: 409, body: { code: 'DUPLICATE_STUDY', detail } });
  await expect(session.call('GET', '/api/v1/me')).rejects.toMatchObject({
    message: detail,
    code: 'DUPLICATE_STUDY',
    status: 409,
  });
});

it('never runs two exclusive pieces of work at once, and goes on after one fails', async () => {
  const exclusively = exclusiveAmongTabs('test', undefined);
  let running = 0;
  let most = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    throw new Error('no');
  };
  const results = await Promise.allSettled([
    exclusively(work),
    exclusively(work),
    exclusively(async () => 'yes'),
  ]);
  expect(most).toBe(1);
  expect(results[2]).toEqual({ status: 'fulfilled', value: 'yes' });
});
