import { expect, it } from 'vitest';
import { findExifDate } from './exif-date.js';
import { readPhotoFacts } from './photo-facts.js';
import { heicPhoto, jpegPhoto, pngPhoto } from './testing/photos.js';

it('reads size and day of a JPEG, in either byte order', () => {
  for (const littleEndian of [true, false]) {
    const photo = jpegPhoto(4000, {
      original: '2026:01:14 10:05:00',
      changed: '2026:02:01 00:00:00',
      littleEndian,
    });
    expect(readPhotoFacts('jpeg', photo)).toEqual({ width: 4000, height: 30, takenOn: '2026-01-14' });
  }
});

it('takes the day of change when no other is there, and none that cannot be right', () => {
  const day = (original: string | undefined, changed: string) =>
    readPhotoFacts('jpeg', jpegPhoto(40, { ...(original ? { original } : {}), changed })).takenOn;
  expect(day(undefined, '2026:02:01 00:00:00')).toBe('2026-02-01');
  expect(day('0000:00:00 00:00:00', '2026:02:01 00:00:00')).toBe('2026-02-01');
  expect(day('1970:01:01 00:00:00', '2026:02:30 00:00:00')).toBeUndefined();
});

it('reads the size of a PNG', () => {
  expect(readPhotoFacts('png', pngPhoto(1170, 2532))).toEqual({ width: 1170, height: 2532 });
});

it('finds the day in a HEIC file', () => {
  expect(findExifDate(heicPhoto({ original: '2026:01:14 10:05:00' }))).toBe('2026-01-14');
});

it('takes cut off and random bytes without complaint', () => {
  const whole = jpegPhoto(40, { original: '2026:01:14 10:05:00' });
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => readPhotoFacts('jpeg', whole.subarray(0, length))).not.toThrow();
  }
  let seed = 1;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed & 0xff;
  };
  for (let round = 0; round < 500; round += 1) {
    const bytes = Uint8Array.from(whole, (byte) => (random() < 24 ? random() : byte));
    expect(() => readPhotoFacts('jpeg', bytes)).not.toThrow();
    expect(() => findExifDate(bytes)).not.toThrow();
    expect(() => readPhotoFacts('png', bytes)).not.toThrow();
  }
});
