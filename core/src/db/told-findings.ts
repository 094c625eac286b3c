import type { FileFinding } from '../contract/uploads.js';
import { HARMLESS_FAULTS } from '../dicom/findings.js';

/**
 * Codes of what the checks find in images that are right as they are: told to programs as a `note`, and no remark for a
 * person. An accession number is given by a hospital's order system, so images made elsewhere have none, and the
 * standard lets it be empty (PS3.3 §C.7.2.1, type 2).
 */
export const NOTED_FINDINGS: readonly string[] = ['NO_ACCESSION_NUMBER'];

/** A finding as it is told: what calls for nobody's attention is a note, and a repair only what was made anew. */
export function toldFinding(finding: FileFinding): FileFinding {
  if (NOTED_FINDINGS.includes(finding.code)) return { ...finding, tier: 'note' };
  return HARMLESS_FAULTS.has(finding.code) ? { ...finding, tier: 'warn' } : finding;
}
