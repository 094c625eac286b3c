/** One coded character set that can stand in G0 (bytes 21–7E) or G1 (bytes A0–FF) of ISO 2022. */
export interface CodeSet {
  bytesPerCharacter: 1 | 2;
  /** Bytes as they stand in the value, of this set only; never throws. */
  decode(bytes: Uint8Array): string;
}

interface PlatformDecoder {
  decode(bytes: Uint8Array): string;
}

/** A decoder of the platform, or `undefined` where the runtime lacks that encoding (a Node without full ICU). */
export function platformDecoder(label: string, fatal = false): PlatformDecoder | undefined {
  try {
    return new TextDecoder(label, { fatal });
  } catch {
    return undefined;
  }
}

/** ISO 8859-1 by definition, not by the platform: browsers read it as windows-1252, Node does not. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function singleByte(label: string): CodeSet {
  const decoder = platformDecoder(label);
  return { bytesPerCharacter: 1, decode: (bytes) => decoder?.decode(bytes) ?? decodeLatin1(bytes) };
}

/** Double-byte sets are decoded in their EUC form: both bytes with the high bit, after an optional prefix byte. */
function doubleByte(label: string, prefix?: number): CodeSet {
  const decoder = platformDecoder(label);
  return {
    bytesPerCharacter: 2,
    decode(bytes) {
      const euc: number[] = [];
      bytes.forEach((byte, index) => {
        if (prefix !== undefined && index % 2 === 0) euc.push(prefix);
        euc.push(byte | 0x80);
      });
      return decoder?.decode(Uint8Array.from(euc)) ?? '\ufffd'.repeat(Math.ceil(bytes.length / 2));
    },
  };
}

export const ASCII: CodeSet = { bytesPerCharacter: 1, decode: decodeLatin1 };
export const LATIN_1: CodeSet = { bytesPerCharacter: 1, decode: decodeLatin1 };
export const LATIN_2 = singleByte('iso-8859-2');
export const LATIN_3 = singleByte('iso-8859-3');
export const LATIN_4 = singleByte('iso-8859-4');
export const CYRILLIC = singleByte('iso-8859-5');
export const ARABIC = singleByte('iso-8859-6');
export const GREEK = singleByte('iso-8859-7');
export const HEBREW = singleByte('iso-8859-8');
export const LATIN_5 = singleByte('iso-8859-9');
export const LATIN_9 = singleByte('iso-8859-15');
export const THAI = singleByte('windows-874');
export const JIS_X_0208 = doubleByte('euc-jp');
export const JIS_X_0212 = doubleByte('euc-jp', 0x8f);
export const KS_X_1001 = doubleByte('euc-kr');
export const GB_2312 = doubleByte('gbk');

/** JIS X 0201 romaji: ASCII, but for the overline. The yen sign at 5C is kept as the DICOM delimiter it is. */
export const JIS_ROMAJI: CodeSet = {
  bytesPerCharacter: 1,
  decode: (bytes) => decodeLatin1(bytes).replaceAll('~', '\u203e'),
};

/** JIS X 0201 katakana: A1–DF are the half-width forms U+FF61–FF9F. */
export const JIS_KATAKANA: CodeSet = {
  bytesPerCharacter: 1,
  decode(bytes) {
    let text = '';
    for (const byte of bytes) {
      text += byte >= 0xa1 && byte <= 0xdf ? String.fromCharCode(0xff61 + byte - 0xa1) : '\ufffd';
    }
    return text;
  },
};
