import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Config, ConfigError } from '@relaypacs/core/config.js';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';

/** The keys of one installation. */
export interface KeyStore {
  privateKey: KeyObject;
  /** PEM (SPKI) of the public key, as passport-jwt wants it. */
  publicKeyPem: string;
  /** RFC 7638 thumbprint; the `kid` of every token. */
  keyId: string;
  /** The public key for `/.well-known/jwks.json`. */
  publicJwk: JWK;
  /** Keyed into the duplicate check, so that stored keys cannot be tried against lists of names. */
  dedupeSecret: Buffer;
}

const RSA_BITS = 2048;
const MIN_SECRET_CHARACTERS = 32;

/**
 * Reads a secret file or makes it (mode 0600). Two servers starting at once agree on one: the file is written
 * aside and linked into place, which fails for the second.
 */
async function readOrMake(file: string, make: () => string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const existing = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (existing !== undefined) return existing;
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, make(), { mode: 0o600, flush: true });
  try {
    await link(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(aside);
  }
  return readFile(file, 'utf8');
}

function parsePrivateKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new ConfigError(
      `JWT_PRIVATE_KEY must be an RSA private key in PEM form. (${(error as Error).message})`,
    );
  }
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS) {
    throw new ConfigError(`JWT_PRIVATE_KEY must be an RSA key of at least ${RSA_BITS} bits.`);
  }
  return key;
}

/**
 * The keys given by configuration, or those made on first start in `DATA_DIR/keys`.
 *
 * @throws ConfigError when a given key cannot be used
 */
export async function openKeyStore(config: Pick<Config, 'keys' | 'dataDir'>): Promise<KeyStore> {
  const folder = path.join(config.dataDir, 'keys');
  const pem =
    config.keys.jwtPrivateKey ??
    (await readOrMake(path.join(folder, 'jwt-private-key.pem'), () =>
      generateKeyPairSync('rsa', { modulusLength: RSA_BITS })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
    ));
  const privateKey = parsePrivateKey(pem);
  const secret =
    config.keys.dedupeSecret ??
    (await readOrMake(path.join(folder, 'dedupe-secret'), () => randomBytes(32).toString('base64url')));
  if (secret.length < MIN_SECRET_CHARACTERS) {
    throw new ConfigError(`DEDUPE_SECRET must hold at least ${MIN_SECRET_CHARACTERS} characters.`);
  }
  const publicKey = createPublicKey(privateKey);
  const jwk = await exportJWK(publicKey);
  const keyId = await calculateJwkThumbprint(jwk);
  return {
    privateKey,
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId,
    publicJwk: { ...jwk, kid: keyId, alg: 'RS256', use: 'sig' },
    dedupeSecret: Buffer.from(secret),
  };
}
