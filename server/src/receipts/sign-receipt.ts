import { RECEIPT_JWS_TYPE, type Receipt } from '@relaypacs/core/contract/receipts.js';
import { CompactSign } from 'jose';
import type { KeyStore } from '../auth/key-store.js';

/** Signs a receipt with the key that also signs tokens, under a type of its own; the answer is a compact JWS. */
export function signReceipt(
  { keyId, privateKey }: Pick<KeyStore, 'keyId' | 'privateKey'>,
  receipt: Receipt,
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(receipt)))
    .setProtectedHeader({ alg: 'RS256', kid: keyId, typ: RECEIPT_JWS_TYPE })
    .sign(privateKey);
}

/** What a compact JWS says, as JSON text; without looking at the signature. */
export function payloadOf(jws: string): string {
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
}

/** The JSON text of a `SignedReceipt`: what was signed, character for character, and the signature. */
export function withSignature(jws: string): string {
  return `${payloadOf(jws).slice(0, -1)},"jws":"${jws}"}`;
}
