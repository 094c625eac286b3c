import { expect, it } from 'vitest';
import { textDecodingFor } from './charset.js';
import { encodeText } from './encode-text.js';

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

it.each([
  [[]],
  [['ISO_IR 192']],
  [['ISO_IR 100']],
  [['GB18030']],
  [['', 'ISO 2022 IR 87']],
  [['ISO 2022 IR 6', 'ISO 2022 IR 149']],
])('writes ASCII as it is in %j', (terms) => {
  expect(hex(encodeText('PID-00/12 a', terms))).toBe(Buffer.from('PID-00/12 a').toString('hex'));
});

it.each([
  ['ISO_IR 192', 'Ж-7é患', 'd0962d37c3a9e682a3'],
  ['ISO_IR 100', 'Ü-12é', 'dc2d3132e9'],
  ['ISO_IR 144', 'Ж-7', 'b62d37'],
  ['ISO_IR 13', 'ｱ-7', 'b12d37'],
  ['GBK', '患者-7', 'bbbcd5df2d37'],
  ['GB18030', '患者-7', 'bbbcd5df2d37'],
])('writes in %s what that can write: %s', (term, text, bytes) => {
  const written = encodeText(text, [term]);
  expect(hex(written)).toBe(bytes);
  expect(textDecodingFor([term]).decode(written!, false)).toEqual({ text });
});

it.each([
  [[], 'Ü-12'],
  [['ISO_IR 100'], 'Ж-7'],
  [['ISO_IR 144'], 'Ü-12'],
  // The tilde of JIS X 0201 is an overline.
  [['ISO_IR 13'], 'A~1'],
  [['GBK'], '😀'],
  // Behind an escape sequence only, which nothing here writes.
  [['', 'ISO 2022 IR 149'], '김-7'],
  [['ISO 2022 IR 149'], '김-7'],
  [['', 'ISO 2022 IR 87'], '山-7'],
  [['NO_SUCH_SET'], 'Ü-12'],
])('writes nothing in %j of what has no place there: %s', (terms, text) => {
  expect(encodeText(text, terms)).toBeUndefined();
});
