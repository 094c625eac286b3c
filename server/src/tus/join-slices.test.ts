import { newId } from '@relaypacs/core/db/ids.js';
import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../http/http-problem.js';
import { sliceIds } from './join-slices.js';

const [a, b] = [newId(), newId()];
const code = (urls: string[]) => {
  try {
    sliceIds(urls);
  } catch (error) {
    if (error instanceof HttpProblem) return error.code;
    throw error;
  }
  return undefined;
};

describe('the slices of a join', () => {
  it('are named by their URLs, whatever the server was called, in order', () => {
    expect(sliceIds([`https://a.example/files/${b}`, `/files/${a}`])).toEqual([b, a]);
    expect(sliceIds([`http://127.0.0.1:8080/files/${a}?x=/${b}#/${b}`])).toEqual([a]);
  });

  it('are ours, by their path', () => {
    for (const url of ['', '/', '/files/', '/files/nonsense', `/files/${a}/${b}`, `/other/${a}`, `//${a}`]) {
      expect(code([url]), url).toBe('NOT_FOUND');
    }
  });

  it('are at least one, and none of them twice', () => {
    expect(code([])).toBe('MALFORMED_REQUEST');
    expect(code([`/files/${a}`, `/files/${b}`, `http://x/files/${a}`])).toBe('MALFORMED_REQUEST');
  });
});
