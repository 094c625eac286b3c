import { describe, expect, it } from 'vitest';
import { parseMediaType, readParts } from './multipart.js';

/** Feeds a body in pieces of a size and gathers what comes out, unfinished parts marked. */
async function partsOf(body: string | Buffer, pieceSize = 1 << 20, boundary = 'B') {
  async function* pieces() {
    const bytes = Buffer.from(body);
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  const parts: { headers: Record<string, string>; data: string; complete: boolean }[] = [];
  for await (const event of readParts(pieces(), boundary)) {
    const part = parts.at(-1);
    if (event.kind === 'part')
      parts.push({ headers: Object.fromEntries(event.headers), data: '', complete: false });
    else if (event.kind === 'data' && part) part.data += event.bytes.toString('latin1');
    else if (part) part.complete = true;
  }
  return parts;
}

const TWO_PARTS = '--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\nX: y\r\n\r\n\r\n-\r\n--\r\n--\r\n--B--\r\n';

describe('readParts', () => {
  it('finds the same parts however the body is cut up', async () => {
    const expected = [
      { headers: { 'content-type': 'a/b' }, data: 'one', complete: true },
      { headers: { x: 'y' }, data: '\r\n-\r\n--\r\n--', complete: true },
    ];
    for (let size = 1; size <= TWO_PARTS.length; size++)
      expect(await partsOf(TWO_PARTS, size)).toEqual(expected);
  });

  it('passes over text before the first boundary and behind the last', async () => {
    const parts = await partsOf(`preamble\r\n--Bx\r\n${TWO_PARTS}epilogue\r\n--B\r\n\r\nno part\r\n--B--`);
    expect(parts).toHaveLength(0);
    expect(await partsOf(`preamble\r\n${TWO_PARTS}epilogue\r\n--B\r\n\r\nno part\r\n--B--`)).toHaveLength(2);
  });

  it('takes a part without headers and one without data', async () => {
    expect(await partsOf('--B\r\n\r\ndata\r\n--B\r\nA: b\r\n\r\n\r\n--B--')).toEqual([
      { headers: {}, data: 'data', complete: true },
      { headers: { a: 'b' }, data: '', complete: true },
    ]);
  });

  it('leaves a part that is cut off incomplete', async () => {
    for (const end of ['', '\r', '\r\n', '\r\n--']) {
      const parts = await partsOf(`--B\r\nA: b\r\n\r\none\r\n--B\r\nA: b\r\n\r\ntwo${end}`);
      expect(parts.map(({ complete }) => complete)).toEqual([true, false]);
    }
  });

  it('stops at a Content-Length that is not right', async () => {
    const body = (length: string) =>
      `--B\r\nContent-Length: ${length}\r\n\r\none\r\n--B\r\nA: b\r\n\r\ntwo\r\n--B--`;
    expect((await partsOf(body('3'))).map(({ complete }) => complete)).toEqual([true, true]);
    for (const wrong of ['2', '99', '-1', 'three']) {
      expect((await partsOf(body(wrong))).map(({ complete }) => complete)).toEqual([false]);
    }
  });

  it.each([
    ['bare line feeds', '--B\nA: b\n\none\n--B--\n'],
    ['spaces behind the boundary', '--B  \r\nA: b\r\n\r\none\r\n--B--\r\n'],
    ['another boundary', '--C\r\nA: b\r\n\r\none\r\n--C--\r\n'],
    ['headers without end', `--B\r\nA: ${'b'.repeat(100_000)}`],
    ['nothing', ''],
    ['only the end', '--B--\r\n'],
    ['no multipart', 'hello'],
  ])('finds no part in a body with %s', async (_, body) => {
    expect(await partsOf(body, 1000)).toEqual([]);
  });

  it('keeps no more than a chunk of a large part', async () => {
    const chunk = Buffer.alloc(64 * 1024, '\r\n--');
    async function* body() {
      yield Buffer.from('--B\r\n\r\n');
      for (let count = 0; count < 500; count++) yield chunk;
      yield Buffer.from('\r\n--B--');
    }
    let total = 0;
    let largest = 0;
    for await (const event of readParts(body(), 'B')) {
      if (event.kind !== 'data') continue;
      total += event.bytes.length;
      largest = Math.max(largest, event.bytes.length);
    }
    expect(total).toBe(500 * chunk.length);
    expect(largest).toBeLessThan(2 * chunk.length);
  });
});

describe('parseMediaType', () => {
  it('reads quoted, bare and oddly spelt parameters', () => {
    const { type, parameters } = parseMediaType(
      'Multipart/Related; Type="Application/DICOM";boundary="a;\\"b" ; x',
    );
    expect(type).toBe('multipart/related');
    expect(Object.fromEntries(parameters)).toEqual({ type: 'Application/DICOM', boundary: 'a;"b' });
  });

  it('takes garbage without harm', () => {
    for (const garbage of ['', ';', '"', ';;=;"', 'a;b="', '='.repeat(1000)]) parseMediaType(garbage);
  });
});
