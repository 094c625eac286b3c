import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../http/http-problem.js';
import { CHECKSUM_ALGORITHMS, Checksum } from './checksum.js';

const digest = (algorithm: string, data: string) => createHash(algorithm).update(data).digest('base64');
const bytes = (text: string) => new TextEncoder().encode(text);

/** What the header is refused with. */
function refusal(header: string) {
  try {
    Checksum.announcedIn(header);
  } catch (error) {
    if (error instanceof HttpProblem) return { status: error.status, code: error.code };
    throw error;
  }
  return undefined;
}

describe('a checksum', () => {
  // RFC 1321 A.5 and FIPS 180: "abc".
  it.each([
    ['md5', 'kAFQmDzST7DWlj99KOF/cg=='],
    ['sha1', 'qZk+NkcGgWq6PiVxeFDCbJzQ2J0='],
    ['sha256', 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='],
  ])('of %s agrees with the published one, however the bytes are cut', (algorithm, published) => {
    for (const parts of [[['abc']], [['a', 'b'], ['c']], [['', 'ab'], [], ['c', '']]]) {
      const checksum = Checksum.announcedIn(`${algorithm} ${published}`)!;
      for (const batch of parts) checksum.update(batch.map(bytes));
      expect(checksum.matches()).toBe(true);
    }
    const other = Checksum.announcedIn(`${algorithm} ${published}`)!;
    other.update([bytes('abd')]);
    expect(other.matches()).toBe(false);
  });

  it('is not needed', () => {
    expect(Checksum.announcedIn(undefined)).toBeUndefined();
  });

  it('of no bytes is that of the empty text', () => {
    expect(Checksum.announcedIn(`sha1 ${digest('sha1', '')}`)!.matches()).toBe(true);
    expect(Checksum.announcedIn(`sha1 ${digest('sha1', ' ')}`)!.matches()).toBe(false);
  });

  it('may be announced without the padding of Base64', () => {
    const checksum = Checksum.announcedIn(`md5 ${digest('md5', 'abc').replaceAll('=', '')}`)!;
    checksum.update([bytes('abc')]);
    expect(checksum.matches()).toBe(true);
  });

  it('of an algorithm that was not announced is refused', () => {
    expect(CHECKSUM_ALGORITHMS).toBe('md5,sha1,sha256');
    for (const name of ['sha512', 'crc32', 'MD5', '', 'constructor', '__proto__', 'md5,sha1']) {
      expect(refusal(`${name} ${digest('md5', '')}`), name).toEqual({
        status: 400,
        code: 'CHECKSUM_UNSUPPORTED',
      });
    }
  });

  it.each([
    ['without a digest', 'md5'],
    ['with an empty digest', 'md5 '],
    ['with a digest in hexadecimal', `md5 ${createHash('md5').update('abc').digest('hex')}`],
    ['with a digest of another algorithm', `sha1 ${digest('md5', 'abc')}`],
    ['with a digest that is cut', `sha256 ${digest('sha256', 'abc').slice(0, -4)}`],
    ['with characters that are none of Base64', `md5 ${digest('md5', 'abc').replace('F', 'F*')}`],
    ['with the alphabet of URLs', `md5 ${digest('md5', 'abc').replace('/', '_')}`],
    ['with something behind it', `md5 ${digest('md5', 'abc')} x`],
    ['with two blanks', `md5  ${digest('md5', 'abc')}`],
  ])('%s is refused', (_what, header) => {
    expect(refusal(header)).toEqual({ status: 400, code: 'MALFORMED_REQUEST' });
  });
});
