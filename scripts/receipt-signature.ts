import { RECEIPT_JWS_TYPE, type Receipt, ReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet } from 'jose';
import { NotAReceipt, type ReceiptSource, saysTheSame } from './receipt-source.js';

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
 * @throws NotAReceipt when something else was signed
 */
export async function checkSignature(source: ReceiptSource, keys: JSONWebKeySet): Promise<Verdict> {
  const { kid, typ } = headerOf(source.jws);
  // A token of the same RelayPACS bears a good signature, too.
  if (typ !== RECEIPT_JWS_TYPE) throw new NotAReceipt('It is signed, but it is no receipt');
  const keyId = kid ?? '';
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(source.jws, createLocalJWKSet(keys), { algorithms: ['RS256'] }));
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return { kind: 'otherKey', keyId };
    if (error instanceof errors.JOSEError) {
      return { kind: 'tampered', how: 'the signature does not belong to what it says' };
    }
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

function headerOf(jws: string): { kid?: string; typ?: string } {
  try {
    return decodeProtectedHeader(jws);
  } catch {
    throw new NotAReceipt('The signature cannot be read');
  }
}
