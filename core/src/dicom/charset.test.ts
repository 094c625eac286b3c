import { describe, expect, it } from 'vitest';
import { textDecodingFor } from './charset.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import { buildDicom } from './testing/build.js';

/** Bytes from text in which `{1b 24 42}` stands for bytes in hexadecimal. */
function bytesOf(pattern: string): Uint8Array {
  const bytes: number[] = [];
  for (const part of pattern.split(/(\{[^}]*\})/)) {
    if (part.startsWith('{'))
      for (const hex of part.slice(1, -1).split(' ')) bytes.push(Number.parseInt(hex, 16));
    else for (const character of part) bytes.push(character.charCodeAt(0));
  }
  return Uint8Array.from(bytes);
}

const decodeName = (terms: string[], pattern: string) =>
  textDecodingFor(terms).decode(bytesOf(pattern), true);

describe('person names of the standard', () => {
  it.each([
    [
      'PS3.5 §H.3.1, Japanese',
      ['', 'ISO 2022 IR 87'],
      'Yamada^Tarou={1b 24 42 3b 33 45 44 1b 28 42}^{1b 24 42 42 40 4f 3a 1b 28 42}={1b 24 42 24 64 24 5e 24 40 1b 28 42}^{1b 24 42 24 3f 24 6d 24 26 1b 28 42}',
      'Yamada^Tarou=山田^太郎=やまだ^たろう',
    ],
    [
      'PS3.5 §H.3.2, Japanese with half-width katakana',
      ['ISO 2022 IR 13', 'ISO 2022 IR 87'],
      '{d4 cf c0 de}^{c0 db b3}={1b 24 42 3b 33 45 44 1b 28 4a}^{1b 24 42 42 40 4f 3a 1b 28 4a}={1b 24 42 24 64 24 5e 24 40 1b 28 4a}^{1b 24 42 24 3f 24 6d 24 26 1b 28 4a}',
      'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    ],
    [
      'PS3.5 §I.2, Korean',
      ['', 'ISO 2022 IR 149'],
      'Hong^Gildong={1b 24 29 43 fb f3}^{1b 24 29 43 d1 ce d4 d7}={1b 24 29 43 c8 ab}^{1b 24 29 43 b1 e6 b5 bf}',
      'Hong^Gildong=洪^吉洞=홍^길동',
    ],
    [
      'PS3.5 §J.1, Chinese in UTF-8',
      ['ISO_IR 192'],
      'Wang^XiaoDong={e7 8e 8b}^{e5 b0 8f e6 9d b1}=',
      'Wang^XiaoDong=王^小東=',
    ],
    [
      'PS3.5 §J.3, Chinese in GB18030',
      ['GB18030'],
      'Wang^XiaoDong={cd f5}^{d0 a1 b6 ab}=',
      'Wang^XiaoDong=王^小东=',
    ],
    [
      'PS3.5 §K.2, Chinese in ISO 2022',
      ['', 'ISO 2022 IR 58'],
      'Zhang^XiaoDong={1b 24 29 41 d5 c5}^{1b 24 29 41 d0 a1 b6 ab}=',
      'Zhang^XiaoDong=张^小东=',
    ],
  ])('%s', (_name, terms, pattern, expected) => {
    expect(decodeName(terms, pattern)).toEqual({ text: expected });
  });
});

describe('single-byte sets', () => {
  it.each([
    ['ISO_IR 100', 'Buc^J{e9}r{f4}me', 'Buc^Jérôme'],
    ['ISO_IR 101', 'Wa{b3}{ea}sa', 'Wałęsa'],
    ['ISO_IR 109', '{ff}', '˙'],
    ['ISO_IR 110', '{be}', 'ž'],
    ['ISO_IR 144', '{bb ee da e1 d5 dc d1 e3 e0 d3}', 'Люксембург'],
    ['ISO_IR 127', '{c7 e4}', 'ال'],
    ['ISO_IR 126', '{c4 e9 ef ed}', 'Διον'],
    ['ISO_IR 138', '{f9 f8}', 'שר'],
    ['ISO_IR 148', '{c7}avu{fe}o{f0}lu', 'Çavuşoğlu'],
    ['ISO_IR 166', '{b9 d2 c2}', 'นาย'],
    ['ISO_IR 203', '{a4}', '€'],
    ['ISO_IR 13', '{d4 cf c0 de}', 'ﾔﾏﾀﾞ'],
  ])('%s', (term, pattern, expected) => {
    expect(decodeName([term], pattern)).toEqual({ text: expected });
  });
});

describe('code extensions', () => {
  it('do not take halves of Japanese characters for delimiters', () => {
    // In JIS X 0208 the characters 十, 枠 and 順 hold the bytes of `=`, `\` and `^`.
    const decoded = decodeName(['', 'ISO 2022 IR 87'], '{1b 24 42 3d 3d 4f 48 3d 5c 1b 28 42}^A');
    expect(decoded.text.split('^')).toHaveLength(2);
    expect(decoded.text.endsWith('^A')).toBe(true);
    expect(decoded.text).not.toContain('\\');
  });

  it('end at a delimiter, where the first set is in force again (PS3.5 §6.1.2.5.3)', () => {
    const greek = ['ISO 2022 IR 100', 'ISO 2022 IR 126'];
    expect(decodeName(greek, '{1b 2d 46 c4}^{c4}').text).toBe('Δ^Ä');
    expect(decodeName(greek, '{1b 2d 46 c4}\\{c4}').text).toBe('Δ\\Ä');
  });

  it('that a writer forgot to repeat behind a delimiter are still read', () => {
    expect(decodeName(['', 'ISO 2022 IR 149'], '{1b 24 29 43 fb f3}^{d1 ce}').text).toBe('洪^吉');
  });

  it('read the supplementary kanji of JIS X 0212', () => {
    expect(decodeName(['', 'ISO 2022 IR 159'], '{1b 24 28 44 30 21 1b 28 42}')).toEqual({ text: '丂' });
  });

  it('nobody knows are doubtful and lose nothing else', () => {
    expect(decodeName(['', 'ISO 2022 IR 87'], 'A{1b 25 47}B')).toMatchObject({ doubt: 'undecodable' });
    expect(decodeName(['', 'ISO 2022 IR 87'], 'A{1b}').text).toBe('A');
  });
});

describe('Specific Character Set', () => {
  it.each([
    ['ISO-IR 100', 'misspelt'],
    ['ISO IR 100', 'misspelt'],
    ['iso_ir 100', 'misspelt'],
    ['ISO_IR100', 'misspelt'],
    ['latin1', 'misspelt'],
  ])('%s is understood', (term, problem) => {
    const decoding = textDecodingFor([term]);
    expect(decoding.problem).toBe(problem);
    expect(decoding.decode(bytesOf('{e9}'), false)).toEqual({ text: 'é' });
  });

  it('of an unknown name leaves plain text readable', () => {
    const decoding = textDecodingFor(['KLINGON']);
    expect(decoding.problem).toBe('unknown');
    expect(decoding.decode(bytesOf('Doe^Jane'), true)).toEqual({ text: 'Doe^Jane' });
  });

  it('that is absent makes bytes above 7F doubtful, and Latin-1', () => {
    expect(decodeName([], 'M{fc}ller')).toEqual({ text: 'Müller', doubt: 'undeclared' });
  });

  it('of UTF-8 that is not UTF-8 is doubtful, and read as Latin-1', () => {
    expect(decodeName(['ISO_IR 192'], 'M{fc}ller')).toEqual({ text: 'Müller', doubt: 'undecodable' });
  });

  it('finds its way into the findings of a scan', async () => {
    const findingsFor = async (charset: string, name: string) => {
      const elements = [
        { tag: 0x00080005, vr: 'CS', value: charset },
        { tag: 0x00100010, vr: 'PN', value: bytesOf(name) },
      ];
      const { attributes, findings } = await scanDicom(bytesSource(buildDicom({ elements })));
      return { name: attributes.patientName, codes: findings.map(({ code }) => code) };
    };
    expect(await findingsFor('ISO-IR 100', 'J{fc}rg')).toEqual({ name: 'Jürg', codes: ['CHARSET_SPELLING'] });
    expect(await findingsFor('NONE', 'Jorg')).toEqual({ name: 'Jorg', codes: ['CHARSET_UNKNOWN'] });
    expect(await findingsFor('', 'J{fc}rg')).toEqual({ name: 'Jürg', codes: ['CHARSET_UNDECLARED'] });
    expect(await findingsFor('ISO_IR 192', 'J{fc}rg')).toEqual({
      name: 'Jürg',
      codes: ['CHARSET_UNDECODABLE'],
    });
  });

  it('never makes decoding throw, whatever the bytes', () => {
    const sets = [
      'ISO_IR 192',
      'GB18030',
      'GBK',
      'ISO_IR 13',
      'ISO_IR 166',
      'ISO 2022 IR 149',
      'ISO 2022 IR 87',
    ];
    for (let seed = 1; seed <= 500; seed += 1) {
      let state = seed;
      const bytes = Uint8Array.from({ length: seed % 60 }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state % 5 === 0 ? 0x1b : state >>> 24;
      });
      for (const term of sets)
        expect(textDecodingFor(['', term]).decode(bytes, true).text).toBeTypeOf('string');
    }
  });
});
