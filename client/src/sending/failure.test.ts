import { expect, it } from 'vitest';
import { nextStep } from './failure.js';

it('tries again after whatever may pass by itself', () => {
  for (const status of [undefined, 0, 408, 409, 423, 429, 460, 500, 502, 503, 504]) {
    expect(nextStep({ status })).toBe('retry');
  }
});

it('gets a new token for 401 and looks up an upload that is closed', () => {
  expect(nextStep({ status: 401 })).toBe('renewToken');
  expect(nextStep({ status: 404 })).toBe('askServer');
  expect(nextStep({ status: 410 })).toBe('askServer');
  expect(nextStep({ status: 409, code: 'UPLOAD_NOT_OPEN' })).toBe('askServer');
});

it('does not repeat for ever what can never be accepted', () => {
  for (const status of [400, 403, 412, 413, 415, 422, 501]) expect(nextStep({ status })).toBe('giveUp');
});
