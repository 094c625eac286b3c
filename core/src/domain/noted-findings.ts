import type { FileFinding } from '../contract/uploads.js';

/**
 * Codes of what the checks find in images that are right as they are: told to programs as a `note`, and no remark for a
 * person. An accession number is given by a hospital's order system, so images made elsewhere have none, and the
 * standard lets it be empty (PS3.3 §C.7.2.1, type 2).
 */
export const NOTED_FINDINGS: readonly string[] = ['NO_ACCESSION_NUMBER'];

/** A finding as it is told: what calls for nobody's attention is a note. */
export function toldFinding(finding: FileFinding): FileFinding {
  return NOTED_FINDINGS.includes(finding.code) ? { ...finding, tier: 'note' } : finding;
}
