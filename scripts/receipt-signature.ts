import { RECEIPT_JWS_TYPE, type Receipt, ReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import {
  type CryptoKey,
  compactVerify,
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
} from 'jose';
import { NotAReceipt, type ReceiptSource, saysTheSame } from './receipt-source.js';

/** The keys at hand do not allow a verdict; it says nothing of the receipt. */
export class UnusableKeys extends Error {}

const ALGORITHM = 'RS256';
const FORGED = { kind: 'tampered', how: 'the signature does not belong to what it says' } as const;

/** What is to be thought of a receipt. */
export type Verdict =
  | { kind: 'genuine'; receipt: Receipt; keyId: string }
  /** Signed with none of the keys at hand. */
  | { kind: 'otherKey'; keyId: string }
  | { kind: 'tampered'; how: string };

/**
 * Checks the signature of a receipt, and that what stands beside it says the same.
 *
 * @param keys - the public keys of the RelayPACS that is believed to have issued it
 * @throws NotAReceipt when something else was signed; UnusableKeys
 */
export async function checkSignature(source: ReceiptSource, keys: JSONWebKeySet): Promise<Verdict> {
  const { kid, typ, alg } = headerOf(source.jws);
  // A token of the same RelayPACS bears a good signature, too.
  if (typ !== RECEIPT_JWS_TYPE) throw new NotAReceipt('It is signed, but it is no receipt');
  if (alg !== ALGORITHM) return FORGED;
  const keyId = kid ?? '';
  const key = await findKey(keys, keyId);
  if (!key) return { kind: 'otherKey', keyId };
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(source.jws, key, { algorithms: [ALGORITHM] }));
  } catch (error) {
    if (error instanceof errors.JOSEError) return FORGED;
    // Said of keys alone: too short, or not for signatures.
    if (error instanceof TypeError) throw new UnusableKeys(error.message);
    throw error;
  }
  const signed: unknown = JSON.parse(new TextDecoder().decode(payload));
  if (!saysTheSame(source, signed)) {
    return { kind: 'tampered', how: 'what can be read is not what was signed' };
  }
  const receipt = ReceiptSchema.safeParse(signed);
  if (!receipt.success) throw new NotAReceipt('It has the form of a later version of RelayPACS');
  return { kind: 'genuine', receipt: receipt.data, keyId };
}

/** @returns undefined when it is not among them */
async function findKey(keys: JSONWebKeySet, kid: string): Promise<CryptoKey | undefined> {
  try {
    return await createLocalJWKSet(keys)({ alg: ALGORITHM, kid });
  } catch (error) {
    const isListed = keys.keys.some((key) => key.kid === kid);
    if (error instanceof errors.JWKSNoMatchingKey && !isListed) return undefined;
    // Several under one name, one of another kind, or one that no RSA key can be made of: whatever is thrown is about the keys.
    throw new UnusableKeys((error as Error).message);
  }
}

function headerOf(jws: string): { kid?: string; typ?: string; alg?: string } {
  try {
    return decodeProtectedHeader(jws);
  } catch {
    throw new NotAReceipt('The signature cannot be read');
  }
}
