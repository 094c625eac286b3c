import type { Sender } from '@relaypacs/core/contract/uploads.js';

/** `Sarah Chen`, or the username where no name was given. */
export function senderName({ fullName, username }: Sender): string {
  return fullName ?? username;
}

/** `Sarah Chen (schen), Hill Clinic`: enough to find the person. */
export function senderWords(sender: Sender): string {
  const { fullName, username, facility } = sender;
  return [fullName ? `${fullName} (${username})` : username, facility].filter(Boolean).join(', ');
}
