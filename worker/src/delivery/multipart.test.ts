import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { boundaryOf, firstPart, MalformedMultipart, StoredBytesDamaged, stowBody } from './multipart.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

function part(bytes: Buffer, stored = bytes) {
  return {
    sopInstanceUid: '1.2.3',
    size: bytes.length,
    sha256: sha256(bytes),
    async *open() {
      for (let at = 0; at < stored.length; at += 10) yield stored.subarray(at, at + 10);
    },
  };
}

async function* cutUp(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it('frames the unchanged bytes and knows the length exactly', async () => {
  const body = stowBody([
    part(Buffer.from('first object')),
    part(Buffer.alloc(0)),
    part(Buffer.alloc(1001, 7)),
  ]);
  const bytes = await buffer(body.chunks);
  expect(bytes.length).toBe(body.length);
  const boundary = boundaryOf(body.contentType);
  expect(body.contentType).toBe(`multipart/related; type="application/dicom"; boundary=${boundary}`);
  const frame = (content: string) => `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n${content}\r\n`;
  expect(bytes.toString('latin1')).toBe(
    `${frame('first object')}${frame('')}${frame('\x07'.repeat(1001))}--${boundary}--\r\n`,
  );
});

it.each([
  ['changed', Buffer.from('another object of 30 bytes....')],
  ['shorter', Buffer.from('an object')],
  ['longer', Buffer.from('an object of 30 bytes in all..and more than that')],
])('stops before the end of a part whose stored bytes are %s', async (_, stored) => {
  const body = stowBody([part(Buffer.from('an object of 30 bytes in all..'), stored)]);
  const seen: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of body.chunks) seen.push(chunk);
  })();
  await expect(reading).rejects.toThrow(StoredBytesDamaged);
  const delimiters = Buffer.concat(seen).toString('latin1').split(boundaryOf(body.contentType)!).length - 1;
  expect(delimiters).toBe(1);
});

it('finds the boundary, quoted or not', () => {
  expect(boundaryOf('multipart/related; type="application/dicom"; boundary=abc-1')).toBe('abc-1');
  expect(boundaryOf('Multipart/Related; Boundary="a b"; type="application/dicom"')).toBe('a b');
  expect(boundaryOf('application/dicom')).toBeUndefined();
  expect(boundaryOf(undefined)).toBeUndefined();
});

it.each([1, 2, 3, 7, 64, 1000])('reads the first part in pieces of %i bytes', async (size) => {
  const content = Buffer.from('a\r\n--bn\r\n--b\r\n\r\nbinary\0\r');
  const body = Buffer.concat([
    Buffer.from('--bnd\r\nContent-Type: application/dicom\r\nContent-Length: 25\r\n\r\n'),
    content,
    Buffer.from('\r\n--bnd--'),
  ]);
  expect((await buffer(firstPart(cutUp(body, size), 'bnd'))).toString()).toBe(content.toString());
});

it('does not take a cut-off part for a whole one', async () => {
  const body = Buffer.from('--bnd\r\nContent-Type: application/dicom\r\n\r\nsome bytes');
  await expect(buffer(firstPart(cutUp(body, 8), 'bnd'))).rejects.toThrow(MalformedMultipart);
  await expect(buffer(firstPart(cutUp(Buffer.alloc(100_000), 9000), 'bnd'))).rejects.toThrow(
    MalformedMultipart,
  );
});
