import { z } from 'zod';
import { VERIFICATION_LEVELS } from './uploads.js';

/** `typ` of the signature's header (RFC 7515 §4.1.9): a receipt is never taken for a token, nor a token for one. */
export const RECEIPT_JWS_TYPE = 'relaypacs-receipt+jws';
/** Name of the file in a PDF receipt that holds the signed receipt. */
export const RECEIPT_ATTACHMENT = 'receipt.jws';

/**
 * What the bytes of an instance are: those of a file, or of one in an archive, as they came; the same with its header
 * repaired, or a Patient ID put in; or an object RelayPACS made of a picture or the clinical history.
 */
export const INSTANCE_ORIGINS = ['as_uploaded', 'repaired', 'made'] as const;

/** One SOP instance that was delivered. */
export const ReceiptInstanceSchema = z.object({
  sopInstanceUid: z.string(),
  seriesInstanceUid: z.string(),
  sopClassUid: z.string(),
  transferSyntaxUid: z.string(),
  seriesNumber: z.int().nullable(),
  instanceNumber: z.int().nullable(),
  /** Bytes of the object as it was accepted, and sent where it was. */
  size: z.number(),
  /** SHA-256 of the same, in hexadecimal digits. */
  sha256: z.string(),
  /** Where the bytes come from. Receipts of earlier versions do not say. */
  origin: z.enum(INSTANCE_ORIGINS).optional(),
  /** Of a repaired instance that was a file by itself: SHA-256 of that file, as it was uploaded. */
  uploadedSha256: z.string().optional(),
  verification: z.enum(VERIFICATION_LEVELS),
  verifiedAt: z.iso.datetime(),
  /** The PACS held the same bytes already, so it was not sent. */
  alreadyThere: z.boolean(),
  /**
   * False: the PACS held one under the same identifier, with the same bytes (`alreadyThere`) or with contents that could
   * not be compared, so that none was stored from RelayPACS. Receipts of earlier versions do not say.
   */
  sent: z.boolean().optional(),
  /** Code of what the PACS said of it, or why its contents could not be compared. */
  remark: z.string().nullable(),
});
export type ReceiptInstance = z.infer<typeof ReceiptInstanceSchema>;

/** How much is proven of a whole delivery; the PACS lists every instance of it in any case. */
export const DELIVERY_PROOFS = ['uids', 'sample', 'bytes'] as const;

/** One study as it was delivered to one PACS; a study that was sent again stands in a receipt once for each time. */
export const ReceiptDeliverySchema = z.object({
  studyInstanceUid: z.string(),
  studyDescription: z.string().nullable(),
  studyDate: z.string().nullable(),
  accessionNumber: z.string().nullable(),
  modalities: z.array(z.string()),
  /** As the files have it. */
  patient: z.object({
    name: z.string().nullable(),
    id: z.string().nullable(),
    birthDate: z.string().nullable(),
    sex: z.string().nullable(),
  }),
  /** The PACS: its key in the configuration, and its name at the time of the receipt. */
  target: z.object({ key: z.string(), name: z.string() }),
  /** It was sent again on an administrator's request. */
  isResend: z.boolean(),
  deliveredAt: z.iso.datetime(),
  verification: z.object({
    /** `bytes`: all were compared; `sample`: some were; `uids`: none was. */
    level: z.enum(DELIVERY_PROOFS),
    /** Instances of the study, each listed by the PACS when asked. */
    instances: z.int(),
    /** Of them: those whose data set was retrieved and is the one that was sent, byte for byte. */
    compared: z.int(),
    /** Of them: those with a remark. */
    remarks: z.int(),
  }),
  instances: z.array(ReceiptInstanceSchema),
});
export type ReceiptDelivery = z.infer<typeof ReceiptDeliverySchema>;

/** What a receipt says, and what is signed. */
export const ReceiptSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  /** The address of the RelayPACS that issued it. */
  issuer: z.string(),
  issuedAt: z.iso.datetime(),
  uploadId: z.string(),
  sender: z.object({
    username: z.string(),
    fullName: z.string().nullable(),
    facility: z.string().nullable(),
  }),
  announcedAt: z.iso.datetime(),
  receivedAt: z.iso.datetime().nullable(),
  /** Of the last delivery. */
  deliveredAt: z.iso.datetime(),
  /** Files of the upload, and files in archives: a delivery says nothing of those that were not accepted. */
  files: z.object({ received: z.int(), rejected: z.int(), ignored: z.int() }),
  deliveries: z.array(ReceiptDeliverySchema).min(1),
});
export type Receipt = z.infer<typeof ReceiptSchema>;

/** A receipt as it is answered: what it says, and the same once more, signed. */
export const SignedReceiptSchema = ReceiptSchema.extend({
  /** Compact JWS (RFC 7515), RS256; its payload is the other fields, character for character. */
  jws: z.string(),
});
export type SignedReceipt = z.infer<typeof SignedReceiptSchema>;
