import type { DoubtPolicy, ServiceLevel, UploadStatus } from '../contract/uploads.js';
import { takesFiles } from './upload-status.js';

/**
 * Where a study is of which images are delivered before all of its upload was checked: `going`, there is something to
 * send; `waiting`, the PACS has what could be sent so far; `stopped`, nothing more of it goes before all was checked.
 */
export type EarlyDelivery = 'going' | 'waiting' | 'stopped';

/** Of which uploads images may go early; of none. */
export type Eagerness = 'off' | 'stat';

/** What the operator has configured about it. */
export interface EarlyRules {
  delivery: { eager: Eagerness };
  intake: { incomplete: 'warn' | 'hold'; mismatch: 'warn' | 'hold' };
}

/** What decides about an upload. */
export interface EarlyUpload {
  status: UploadStatus;
  serviceLevel: ServiceLevel;
  onDoubt: DoubtPolicy | null;
  receivedAt: Date | null;
}

/**
 * Whether images of an upload may be delivered while the rest of it still arrives. One that a doubt could hold goes as
 * a whole: only all of it shows whether there is a doubt, and its sender was promised to be asked before.
 */
export function mayGoEarly(upload: EarlyUpload, { delivery, intake }: EarlyRules): boolean {
  if (delivery.eager !== 'stat' || upload.serviceLevel !== 'stat') return false;
  // Received once and opened again: its sender was asked, and adds to it.
  if (!takesFiles(upload.status) || upload.receivedAt !== null) return false;
  if (upload.onDoubt !== null) return upload.onDoubt === 'send';
  return intake.incomplete === 'warn' && intake.mismatch === 'warn';
}

/** An instance that went out to a PACS before all of its upload was checked. */
export interface WentOut {
  id: string;
  studyId: string;
  uploadFileId: string;
  /** Key of the PACS. */
  target: string;
  /** The PACS said so; else it was sent and there was no answer. */
  isThere: boolean;
}

/**
 * `12 images are in the PACS already, and 3 more may be`
 *
 * @param nameOf - what people call the PACS with this key
 */
export function wentOutWords(instances: readonly WentOut[], nameOf: (target: string) => string): string {
  const targets = [...new Set(instances.map(({ target }) => target))];
  return targets
    .map((target) => {
      const own = instances.filter((instance) => instance.target === target);
      const there = own.filter(({ isThere }) => isThere).length;
      const unknown = own.length - there;
      const place = `in ${placeName(nameOf(target))} already`;
      if (there === 0) return `${images(unknown)} may be ${place}`;
      const more = unknown > 0 ? `, and ${unknown} more may be` : '';
      return `${images(there)} ${there === 1 ? 'is' : 'are'} ${place}${more}`;
    })
    .join('; ');
}

const images = (count: number) => `${count} ${count === 1 ? 'image' : 'images'}`;

/** One that was given no name of its own is called what it is. */
const placeName = (name: string) => (name === 'PACS' ? 'the PACS' : name);
