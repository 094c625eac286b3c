import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { HttpProblem } from '../http/http-problem.js';

/** What `Tus-Checksum-Algorithm` announces (tus, Checksum), with the length of each digest in bytes. */
const DIGEST_BYTES = { md5: 16, sha1: 20, sha256: 32 } as const;

type Algorithm = keyof typeof DIGEST_BYTES;

export const CHECKSUM_ALGORITHMS = Object.keys(DIGEST_BYTES).join(',');

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

const isAlgorithm = (name: string): name is Algorithm => Object.hasOwn(DIGEST_BYTES, name);

/**
 * The digest a client announced of one request's body, and the one of what arrives.
 *
 * It speaks only of a body that arrived whole: a connection that drops looks like a normal end of the stream, and what
 * came until then is kept, unverified, because on a bad link it may be all that ever gets through. The client's
 * digest of the whole file (on complete) and the checks of the intake stand behind it.
 */
export class Checksum {
  private readonly hash: Hash;
  private readonly announced: Buffer;

  private constructor(algorithm: Algorithm, announced: Buffer) {
    this.hash = createHash(algorithm);
    this.announced = announced;
  }

  /**
   * Reads `Upload-Checksum: <algorithm> <base64>`.
   *
   * @returns undefined when the client sent none
   * @throws HttpProblem CHECKSUM_UNSUPPORTED or MALFORMED_REQUEST (400), before any byte is read
   */
  static announcedIn(header: string | undefined): Checksum | undefined {
    if (header === undefined) return undefined;
    const [name = '', digest = '', ...rest] = header.trim().split(' ');
    if (!isAlgorithm(name)) {
      throw new HttpProblem(
        'CHECKSUM_UNSUPPORTED',
        `Upload-Checksum can be computed with ${CHECKSUM_ALGORITHMS} here. Nothing was changed.`,
      );
    }
    const announced = BASE64.test(digest) ? Buffer.from(digest, 'base64') : Buffer.alloc(0);
    if (rest.length > 0 || announced.length !== DIGEST_BYTES[name]) {
      throw new HttpProblem(
        'MALFORMED_REQUEST',
        `Upload-Checksum must be "${name}", a space, and the ${DIGEST_BYTES[name]} bytes of the digest in Base64. Nothing was changed.`,
      );
    }
    return new Checksum(name, announced);
  }

  update(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.hash.update(chunk);
  }

  /** True when everything that was given to {@link update} is what the client announced. May be asked once. */
  matches(): boolean {
    return timingSafeEqual(this.hash.digest(), this.announced);
  }
}
