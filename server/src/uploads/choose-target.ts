import type { Config } from '@relaypacs/core/config.js';
import { findTarget, type PacsTarget } from '@relaypacs/core/config-targets.js';
import type { TargetList } from '@relaypacs/core/contract/uploads.js';
import { invalidFields } from '../http/http-problem.js';

/** @throws HttpProblem VALIDATION_FAILED when the sender names a PACS it may not choose */
export function assertMayChoose({ choices }: Config['pacs'], target: string | undefined): void {
  if (target === undefined || choices.includes(target)) return;
  const message =
    choices.length === 0
      ? 'The PACS cannot be chosen here; leave it out'
      : `Choose one of ${choices.join(', ')}, or leave it out`;
  throw invalidFields([{ path: 'target', message }]);
}

/**
 * What a sender may choose from.
 *
 * @param isAdmin - adds every PACS, as an administrator may send again to any of them
 */
export function listChoices(pacs: Config['pacs'], isAdmin: boolean): TargetList {
  const items = pacs.choices.flatMap((key) => findTarget(pacs, key) ?? []).map(named);
  return isAdmin ? { items, all: pacs.all.map(named) } : { items };
}

const named = ({ key, name }: PacsTarget) => ({ key, name });
