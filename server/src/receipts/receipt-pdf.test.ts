import { generateKeyPairSync } from 'node:crypto';
import { makeReceipt, makeReceiptDelivery } from '@relaypacs/core/testing/receipts.js';
import { expect, it } from 'vitest';
import { renderReceiptPdf } from './receipt-pdf.js';
import { signReceipt } from './sign-receipt.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const sign = (...[deliveries, more]: Parameters<typeof makeReceipt>) =>
  signReceipt({ keyId: 'key-1', privateKey }, makeReceipt(deliveries, more));
const render = async (...parts: Parameters<typeof makeReceipt>) =>
  Buffer.from(await renderReceiptPdf(await sign(...parts))).toString('latin1');
const pagesOf = (pdf: string) => pdf.match(/\/Type \/Page\b/g)?.length;

it('sets the summary on one page and the list behind it, with nothing of it in the metadata', async () => {
  const pdf = await render([makeReceiptDelivery(20)]);
  expect(pdf).toMatch(/^%PDF-1\./);
  expect(pagesOf(pdf)).toBe(2);
  expect(pdf).toContain('(Delivery receipt)');
  expect(pdf).toContain('(D:20260304120000Z)');
  expect(pdf).not.toMatch(/ModDate|\/Author|ller|Chen/);
});

it('begins a list for each delivery, and keeps the summary of several on one page', async () => {
  const again = makeReceiptDelivery(3, { isResend: true, target: { key: 'archive', name: 'Archive' } });
  expect(pagesOf(await render([makeReceiptDelivery(3), again]))).toBe(3);
});

it('has the signed receipt as an attachment', async () => {
  const pdf = await render([makeReceiptDelivery(1)]);
  expect(pdf).toContain('/EmbeddedFiles');
  expect(pdf).toContain('(receipt.jws)');
  expect(pdf).toContain('/Subtype /application#2Fjose');
});

it('prints as many images as fit its limit, over all lists; the others stand in the attachment', async () => {
  const jws = await sign([makeReceiptDelivery(150), makeReceiptDelivery(150)]);
  const pages = async (mostRows: number) =>
    pagesOf(Buffer.from(await renderReceiptPdf(jws, mostRows)).toString('latin1')) ?? 0;
  expect(await pages(160)).toBeLessThan(await pages(300));
  expect(await pages(10)).toBe(3);
});

it('says when it cannot print something', async () => {
  const delivery = makeReceiptDelivery(1);
  const named = (name: string) => render([{ ...delivery, patient: { ...delivery.patient, name } }]);
  // The only words in italics are those that say so.
  expect(await named('山田 太郎')).toContain('+Roboto-Italic');
  expect(await named('Müller, Боль')).not.toContain('+Roboto-Italic');
});
