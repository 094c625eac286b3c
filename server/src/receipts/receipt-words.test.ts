import { makeReceipt, makeReceiptDelivery, makeReceiptInstance } from '@relaypacs/core/testing/receipts.js';
import { expect, it } from 'vitest';
import {
  confirmationWords,
  deliveryFacts,
  headline,
  imageLabel,
  leftOut,
  receiptFacts,
} from './receipt-words.js';

const listed = { verification: 'uids' } as const;
const factOf = (facts: ReturnType<typeof receiptFacts>, name: string) =>
  facts.find(([each]) => each === name)?.[1];

it('counts each image once in its first line, however often it was delivered', () => {
  const others = [40, 41].map((index) => makeReceiptInstance(index));
  const resent = makeReceiptDelivery(40, { isResend: true });
  const receipt = makeReceipt([makeReceiptDelivery(40), makeReceiptDelivery(others), resent]);
  expect(headline(receipt)).toBe('42 of 42 images confirmed by the PACS');
  expect(headline(makeReceipt([makeReceiptDelivery(1)]))).toBe('1 of 1 image confirmed by the PACS');
});

it('says what was left out, and nothing where nothing was', () => {
  const rejecting = (rejected: number) =>
    makeReceipt([makeReceiptDelivery(1)], { files: { received: 9, rejected, ignored: 1 } });
  expect(leftOut(rejecting(0))).toBe('');
  expect(leftOut(rejecting(1))).toMatch(/^One file of the upload could not be delivered and is not part/);
  expect(leftOut(rejecting(3))).toMatch(/^3 files of the upload .* are not part/);
});

it('names the sender as far as it is known, and who issued it', () => {
  const facts = receiptFacts(makeReceipt([makeReceiptDelivery(1)]));
  expect(factOf(facts, 'Sent by')).toBe('Sarah Chen (schen), Rural Clinic North');
  expect(factOf(facts, 'Delivered')).toBe('2026-03-04 10:11:12 UTC');
  expect(factOf(facts, 'Receipt')).toMatch(/issued 2026-03-04 12:00:00 UTC by RelayPACS at https:\/\/relay/);
  const sender = { username: 'schen', fullName: null, facility: null };
  const bare = receiptFacts(makeReceipt([makeReceiptDelivery(1)], { sender, receivedAt: null }));
  expect(factOf(bare, 'Sent by')).toBe('schen');
  expect(factOf(bare, 'All files received')).toBeUndefined();
});

it('names the patient, the study and the PACS', () => {
  const facts = deliveryFacts(makeReceiptDelivery(1));
  expect(factOf(facts, 'Patient')).toBe('Müller, Änne · ID M-1 · born 1970-05-06 · female');
  expect(factOf(facts, 'Study')).toBe('Head without contrast · CT · 2026-03-03');
  expect(factOf(facts, 'Delivered to')).toBe('Radiology archive (default)');
  const nobody = { name: null, id: null, birthDate: null, sex: null };
  expect(factOf(deliveryFacts(makeReceiptDelivery(1, { patient: nobody })), 'Patient')).toBe('no name');
  expect(factOf(deliveryFacts(makeReceiptDelivery(1, { isResend: true })), 'Delivered')).toMatch(
    /sent again/,
  );
});

it.each([
  [[{}, {}], /lists all 2 images\. The contents of all of them were retrieved .* byte for byte\.$/],
  [[{}, listed], /The contents of 1 of them .* of the others only the identifiers were compared\.$/],
  [[listed, listed], /The identifiers were compared, not the contents\.$/],
  [[{}], /lists the image\. The contents of it were retrieved/],
  [[{ ...listed, remark: 'PACS_REWRITES' }, {}], /There is a remark on 1 image: see the list\.$/],
])('claims no more than was verified: %o', (instances, words) => {
  const made = instances.map((more, index) => makeReceiptInstance(index, more));
  expect(factOf(deliveryFacts(makeReceiptDelivery(made)), 'Confirmed')).toMatch(words);
});

it('says of each image how it was confirmed, in words where there are any', () => {
  const at = '2026-03-04 10:11:12 UTC';
  expect(confirmationWords(makeReceiptInstance(0))).toBe(`contents\n${at}`);
  expect(confirmationWords(makeReceiptInstance(0, { alreadyThere: true }))).toBe(
    `contents, was there already\n${at}`,
  );
  expect(confirmationWords(makeReceiptInstance(0, { ...listed, remark: 'PACS_NOT_COMPARABLE' }))).toBe(
    `identifier\n${at}\nThe contents could not be compared.`,
  );
  expect(
    confirmationWords(makeReceiptInstance(0, { ...listed, sent: false, remark: 'HELD_NOT_COMPARED' })),
  ).toBe(`identifier\n${at}\nThe PACS held one already: not sent, and its contents were not compared.`);
  expect(confirmationWords(makeReceiptInstance(0, { ...listed, remark: 'NEW' }))).toMatch(/\nNEW$/);
});

it('calls an image by its numbers, or by its place where the file has none', () => {
  expect(imageLabel(makeReceiptInstance(6), 0)).toBe('1 / 7');
  expect(imageLabel(makeReceiptInstance(6, { instanceNumber: null }), 11)).toBe('no. 12');
});
