import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { LoneBreaks } from '@relaypacs/core/db/instances.js';
import { BREAKS_OFF, BREAKS_PACS } from './pacs-problems.js';

/** So often, while it went on storing others. */
const BREAKS_WHILE_OTHERS_WENT = 10;
/**
 * So often in a row, where nothing else went there. That a PACS answers searches is weaker a sign than that it stores: its
 * storage may be away. So it is given the time that takes to come back; at a try every 30 seconds it is time that decides.
 */
const BREAKS_IN_ROW = 8;
const LEAST_MS = 30 * 60_000;

/** What is told of an instance over which the PACS broke off so often; undefined while it is tried again. */
export function verdictOn({ whileOthersWent, inRow, inRowMs }: LoneBreaks): UploadProblem | undefined {
  if (whileOthersWent >= BREAKS_WHILE_OTHERS_WENT) return BREAKS_PACS;
  return inRow >= BREAKS_IN_ROW && inRowMs >= LEAST_MS ? BREAKS_OFF : undefined;
}
