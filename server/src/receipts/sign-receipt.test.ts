import { generateKeyPairSync } from 'node:crypto';
import { SignedReceiptSchema } from '@relaypacs/core/contract/receipts.js';
import { makeReceipt, makeReceiptDelivery } from '@relaypacs/core/testing/receipts.js';
import { compactVerify } from 'jose';
import { expect, it } from 'vitest';
import { signReceipt, withSignature } from './sign-receipt.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const receipt = makeReceipt([makeReceiptDelivery(2)]);

it('signs what the answer says, under a type of its own and with the name of the key', async () => {
  const jws = await signReceipt({ keyId: 'key-1', privateKey }, receipt);
  const { payload, protectedHeader } = await compactVerify(jws, publicKey);
  expect(protectedHeader).toEqual({ alg: 'RS256', kid: 'key-1', typ: 'relaypacs-receipt+jws' });
  const answer = SignedReceiptSchema.parse(JSON.parse(withSignature(jws)));
  expect(answer).toEqual({ ...receipt, jws });
  expect(withSignature(jws).startsWith(new TextDecoder().decode(payload).slice(0, -1))).toBe(true);
});
