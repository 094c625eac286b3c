import { expect, it } from 'vitest';
import { shortLogLine } from './log-line.js';

it('shortens warnings and errors to one sentence with the cause', () => {
  const line = JSON.stringify({
    level: 'error',
    message: 'Could not start',
    error: { message: 'no disk', stack: '…' },
  });
  expect(shortLogLine('server', line, 'stdout')).toBe('server error: Could not start (no disk)');
  expect(shortLogLine('worker', '{"level":"warn","message":"Slow"}', 'stdout')).toBe('worker warn: Slow');
});

it('hides what is not worth a look', () => {
  expect(shortLogLine('server', '{"level":"info","message":"Ready"}', 'stdout')).toBeUndefined();
  expect(shortLogLine('server', 'Listening on 8080', 'stdout')).toBeUndefined();
  expect(shortLogLine('server', '   ', 'stderr')).toBeUndefined();
});

it('shows crash reports', () => {
  expect(shortLogLine('server', 'SyntaxError: x', 'stderr')).toBe('server: SyntaxError: x');
});
