import { createHash } from 'node:crypto';

/**
 * A UID below 2.25 (PS3.5 §B.2) that is always the same for the same parts: an intake that is interrupted and begun
 * again gives what it makes the same identity. It is a version 8 UUID (RFC 9562 §5.8) of their SHA-256.
 *
 * @param parts - ids of ours and names of roles; never patient data alone
 */
export function derivedUid(...parts: readonly string[]): string {
  const bytes = createHash('sha256').update(parts.join('\0')).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return `2.25.${BigInt(`0x${bytes.toString('hex')}`)}`;
}
