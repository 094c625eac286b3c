import { expect, it } from 'vitest';
import { checkCrc32 } from './content-check.js';
import { Crc32 } from './crc32.js';
import { ContentDamaged } from './refusals.js';

const digits = new TextEncoder().encode('123456789');

async function* oneByOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Uint8Array.of(byte);
}

it('gives the check value of CRC-32, in one go and chunk by chunk', () => {
  expect(new Crc32().update(digits).value).toBe(0xcbf43926);
  expect(new Crc32().update(digits.subarray(0, 4)).update(digits.subarray(4)).value).toBe(0xcbf43926);
  expect(new Crc32().value).toBe(0);
});

it('passes content on and refuses it at the end when its checksum is another', async () => {
  const passed: number[] = [];
  const checked = async (crc: number) => {
    for await (const chunk of checkCrc32(oneByOne(digits), crc)) passed.push(...chunk);
  };
  await checked(0xcbf43926);
  expect(passed).toEqual([...digits]);
  await expect(checked(1)).rejects.toBeInstanceOf(ContentDamaged);
});
