import type { Warning } from '@relaypacs/core/contract/uploads.js';

/** Of one study, or of one upload. */
const MOST_WARNINGS = 20;
/** Characters of one message. */
const MOST_CHARACTERS = 400;

/** Warnings as they can be stored and read: values of headers in them may hold anything, and there may be any number. */
export function tellable(warnings: readonly Warning[]): Warning[] {
  const told = warnings.slice(0, MOST_WARNINGS).map(({ code, message }) => ({
    code,
    message: message
      .replace(/\p{Cc}/gu, ' ')
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
      .slice(0, MOST_CHARACTERS),
  }));
  const more = warnings.length - told.length;
  return more > 0 ? [...told, { code: 'MORE_WARNINGS', message: `And ${more} more of this kind.` }] : told;
}
