import type { Receipt, ReceiptDelivery, ReceiptInstance } from '@relaypacs/core/contract/receipts.js';

const SEX: Readonly<Record<string, string>> = { M: 'male', F: 'female', O: 'other' };

/** A name and what stands behind it. */
export type Fact = [name: string, value: string];

type PossibleFact = [name: string, value: string | null | undefined];

const known = (facts: PossibleFact[]): Fact[] =>
  facts.flatMap(([name, value]) => (value ? [[name, value] as Fact] : []));

/** `2026-03-04 10:11:12 UTC` */
export function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

const images = (number: number) => `${number} ${number === 1 ? 'image' : 'images'}`;

/** `40 of 40 images confirmed by the PACS`: each image counts once, however often it was sent again. */
export function headline({ deliveries }: Receipt): string {
  const first = deliveries.filter(({ isResend }) => !isResend);
  const number = new Set(
    first.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => sopInstanceUid)),
  ).size;
  return `${number} of ${images(number)} confirmed by the PACS`;
}

/** What the delivery says nothing of; empty when there is nothing of the kind. */
export function leftOut({ files: { rejected } }: Receipt): string {
  if (rejected === 0) return '';
  return `${rejected === 1 ? 'One file' : `${rejected} files`} of the upload could not be delivered and ${rejected === 1 ? 'is' : 'are'} not part of this receipt. The upload in RelayPACS says why.`;
}

/** Who sent what when, and who says so. */
export function receiptFacts(receipt: Receipt): Fact[] {
  const { sender } = receipt;
  const name = sender.fullName ? `${sender.fullName} (${sender.username})` : sender.username;
  return known([
    ['Sent by', [name, sender.facility].filter(Boolean).join(', ')],
    ['Announced', moment(receipt.announcedAt)],
    ['All files received', receipt.receivedAt && moment(receipt.receivedAt)],
    ['Delivered', moment(receipt.deliveredAt)],
    ['Upload', receipt.uploadId],
    ['Receipt', `${receipt.id}, issued ${moment(receipt.issuedAt)} by RelayPACS at ${receipt.issuer}`],
  ]);
}

/** Whose study went where, and how that is known. */
export function deliveryFacts(delivery: ReceiptDelivery): Fact[] {
  const { patient, target, modalities } = delivery;
  const who = [
    patient.name || 'no name',
    patient.id && `ID ${patient.id}`,
    patient.birthDate && `born ${patient.birthDate}`,
    patient.sex && (SEX[patient.sex] ?? patient.sex),
  ];
  const what = [delivery.studyDescription, modalities.join(', '), delivery.studyDate];
  return known([
    ['Patient', who.filter(Boolean).join(' · ')],
    ['Study', what.filter(Boolean).join(' · ')],
    ['Accession number', delivery.accessionNumber],
    ['Study Instance UID', delivery.studyInstanceUid],
    ['Delivered to', `${target.name} (${target.key})`],
    [
      'Delivered',
      `${moment(delivery.deliveredAt)}${delivery.isResend ? ', sent again on an administrator’s request' : ''}`,
    ],
    ['Confirmed', proofWords(delivery)],
  ]);
}

function proofWords({ verification: { level, instances, compared, remarks } }: ReceiptDelivery): string {
  const listed = `The PACS was asked afterwards and lists ${instances === 1 ? 'the image' : `all ${instances} images`}.`;
  const contents = {
    bytes: `The contents of ${instances === 1 ? 'it' : 'all of them'} were retrieved from the PACS and are what was sent, byte for byte.`,
    sample: `The contents of ${compared} of them were retrieved from the PACS and are what was sent, byte for byte; of the others only the identifiers were compared.`,
    uids: 'The identifiers were compared, not the contents.',
  }[level];
  const more = remarks > 0 ? ` There is a remark on ${images(remarks)}: see the list.` : '';
  return `${listed} ${contents}${more}`;
}

/** `2 / 14` for series and image, or where the file does not say, the place in the list. */
export function imageLabel({ seriesNumber, instanceNumber }: ReceiptInstance, index: number): string {
  return seriesNumber === null || instanceNumber === null
    ? `no. ${index + 1}`
    : `${seriesNumber} / ${instanceNumber}`;
}

/** What a remark on an instance means; one that has no words here is told by its code. */
const REMARKS: Readonly<Record<string, string>> = {
  PACS_WARNING: 'The PACS stored it with a remark.',
  PACS_REWRITES: 'The PACS wrote details around the pixels anew.',
  PACS_NOT_COMPARABLE: 'The contents could not be compared.',
  HELD_NOT_COMPARED: 'The PACS held one already: not sent, and its contents were not compared.',
};

/** How and when an instance was confirmed, with the remark on it. */
export function confirmationWords({
  verification,
  verifiedAt,
  alreadyThere,
  remark,
}: ReceiptInstance): string {
  const how = `${verification === 'bytes' ? 'contents' : 'identifier'}${alreadyThere ? ', was there already' : ''}`;
  return [how, moment(verifiedAt), remark && (REMARKS[remark] ?? remark)].filter(Boolean).join('\n');
}
