import type { Config } from '@relaypacs/core/config.js';
import { findTarget } from '@relaypacs/core/config-targets.js';
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

/** What a sender may choose from. */
export function listChoices(pacs: Config['pacs']): TargetList {
  return {
    items: pacs.choices.flatMap((key) => {
      const target = findTarget(pacs, key);
      return target ? [{ key, name: target.name }] : [];
    }),
  };
}
