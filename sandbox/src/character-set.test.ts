import { describe, expect, it } from 'vitest';
import { textReader } from './character-set.js';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('textReader', () => {
  // The examples of PS3.5 annexes H to K, as bytes.
  it.each([
    ['Latin-1', 'ISO_IR 100', '4d fc 6c 6c 65 72', 'Müller'],
    ['Latin-2', 'ISO_IR 101', 'a3 f3 64bc', 'Łódź'],
    ['Cyrillic', 'ISO_IR 144', 'bb ee 64 d2', 'Люdв'],
    ['Greek', 'ISO_IR 126', 'c4 e9 ef ed', 'Διον'],
    ['Arabic', 'ISO_IR 127', 'e2 c8 c7 e6 ea', 'قباني'],
    ['Hebrew', 'ISO_IR 138', 'f9 f8 e5 ef', 'שרון'],
    ['Turkish', 'ISO_IR 148', 'dd fe', 'İş'],
    ['Thai', 'ISO_IR 166', 'ca c1', 'สม'],
    ['Latin-9', 'ISO_IR 203', 'a4', '€'],
    ['half-width katakana', 'ISO_IR 13', 'd4 cf c0 de 5e c0 db b3', 'ﾔﾏﾀﾞ^ﾀﾛｳ'],
    ['UTF-8', 'ISO_IR 192', 'e7 8e 8b', '王'],
    ['GB18030', 'GB18030', 'cd f5 5e d0 a1 b6 ab', '王^小东'],
    ['GBK', 'GBK', 'cd f5', '王'],
  ])('reads %s', (_, term, hex, text) => {
    expect(textReader([term])(bytes(hex), true)).toBe(text);
  });

  it('reads Japanese names with escape sequences (PS3.5 H.3.1)', () => {
    const name =
      '59616d6164615e5461726f75 3d 1b2442 3b33 4544 1b2842 5e 1b2442 4240 4f3a 1b2842 3d 1b2442 2464 245e 2440 1b2842 5e 1b2442 243f 246d 2426 1b2842';
    expect(textReader(['', 'ISO 2022 IR 87'])(bytes(name), true)).toBe(
      'Yamada^Tarou=山田^太郎=やまだ^たろう',
    );
  });

  it('reads Japanese names in JIS X 0201 with escape sequences (PS3.5 H.3.2)', () => {
    const name = 'd4cfc0de5ec0dbb3 3d 1b2442 3b33 4544 1b284a 5e 1b2442 4240 4f3a 1b284a';
    expect(textReader(['ISO 2022 IR 13', 'ISO 2022 IR 87'])(bytes(name), true)).toBe('ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎');
  });

  it('reads JIS X 0212 (PS3.5 table C.12-4)', () => {
    expect(textReader(['', 'ISO 2022 IR 159'])(bytes('1b242844 3021 1b2842'), false)).toBe('丂');
  });

  it('reads Korean names, whose escape counts until the next delimiter (PS3.5 I.2)', () => {
    const name =
      '486f6e675e47696c646f6e67 3d 1b242943 fbf3 5e 1b242943 d1ce d4d7 3d 1b242943 c8ab 5e 1b242943 b1e6b5bf';
    expect(textReader(['', 'ISO 2022 IR 149'])(bytes(name), true)).toBe('Hong^Gildong=洪^吉洞=홍^길동');
  });

  it('reads Chinese text with escape sequences (PS3.5 K.2)', () => {
    expect(textReader(['', 'ISO 2022 IR 58'])(bytes('1b242941 cdf5 5e 1b242941 d0a1b6ab'), true)).toBe(
      '王^小东',
    );
  });

  it('changes between single-byte sets by escape sequence', () => {
    const text = bytes('1b2d41 e4 5c 1b2d4c bb');
    expect(textReader(['ISO 2022 IR 100', 'ISO 2022 IR 144'])(text, false)).toBe('ä\\Л');
  });

  it('does not take half of a two-byte character for a delimiter', () => {
    // The one character is 0x5C 0x5E: a backslash and a caret to whoever looks at bytes.
    expect(textReader(['', 'ISO 2022 IR 87'])(bytes('1b2442 5c5e 1b2842 5e 41'), true)).toHaveLength(3);
  });

  it('knows misspelt terms by their number', () => {
    for (const term of ['ISO-IR 100', 'ISO_IR_100', 'ISO IR 100 ', 'ISO 2022 IR 100']) {
      expect(textReader([term])(bytes('e4'), false)).toBe('ä');
    }
  });

  it('takes undeclared text as UTF-8 when it is, as Latin-1 otherwise', () => {
    expect(textReader([])(Buffer.from('Grün'), false)).toBe('Grün');
    expect(textReader([])(Buffer.from('Grün', 'latin1'), false)).toBe('Grün');
    expect(textReader(['no such set'])(Buffer.from('Grün'), false)).toBe('Grün');
  });

  it('reads any bytes under any set without failing', () => {
    const all = Buffer.from(Array.from({ length: 512 }, (_, at) => (at * 7) % 256));
    const withEscapes = Buffer.concat([
      Buffer.from([0x1b]),
      all,
      Buffer.from([0x1b, 0x24]),
      all,
      Buffer.from([0x1b]),
    ]);
    for (const term of ['', 'ISO_IR 13', 'ISO_IR 192', 'GB18030', 'ISO 2022 IR 87', 'ISO 2022 IR 149']) {
      expect(typeof textReader([term, 'ISO 2022 IR 159'])(withEscapes, true)).toBe('string');
    }
  });
});
