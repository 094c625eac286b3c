import { describe, expect, it } from 'vitest';
import { asksSender } from './study-doubts.js';

const gap = { code: 'INSTANCE_NUMBER_GAP', message: 'Image 4 seems to be missing.' };
const mismatch = { code: 'PATIENT_NAME_MISMATCH', message: 'The file says Doe^Jane, you entered Roe, Jane.' };
const notice = { code: 'SENT_BEFORE', message: 'Sent before.' };
const WARN = { incomplete: 'warn', mismatch: 'warn' } as const;

describe('whether an upload waits for its sender', () => {
  it.each([
    [{ ...WARN, incomplete: 'hold' } as const, [true, false]],
    [{ ...WARN, mismatch: 'hold' } as const, [false, true]],
    [WARN, [false, false]],
  ])('is for the operator to say of each kind of doubt: %o', (policy, expected) => {
    expect([gap, mismatch].map((doubt) => asksSender({ onDoubt: null }, policy, [doubt]))).toEqual(expected);
  });

  it('is for the sender to say first', () => {
    const hold = { incomplete: 'hold', mismatch: 'hold' } as const;
    expect(asksSender({ onDoubt: 'send' }, hold, [gap, mismatch])).toBe(false);
    expect(asksSender({ onDoubt: 'ask' }, WARN, [gap])).toBe(true);
  });

  it('is no question where there is no doubt', () => {
    expect(asksSender({ onDoubt: 'ask' }, WARN, [notice])).toBe(false);
    expect(asksSender({ onDoubt: 'ask' }, WARN, [])).toBe(false);
  });
});
