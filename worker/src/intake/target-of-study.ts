import type { Config } from '@relaypacs/core/config.js';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { routeStudy } from '@relaypacs/core/domain/routing.js';

/**
 * Key of the PACS a study goes to: the sender's choice, else what the rules say.
 *
 * @param facility - of the account that sent it
 */
export function targetOfStudy(
  upload: UploadRow,
  { modalities }: { modalities: readonly string[] },
  facility: string | null,
  { rules }: Pick<Config['pacs'], 'rules'>,
): string {
  return upload.target ?? routeStudy(rules, { ...upload, modalities, facility }, DEFAULT_TARGET);
}
