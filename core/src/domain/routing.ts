import type { ServiceLevel } from '../contract/uploads.js';

/** Sends studies that fit all of its conditions to one target; a condition that is left out fits everything. */
export interface RoutingRule {
  serviceLevels?: readonly ServiceLevel[];
  /** DICOM modalities; one of the study's is enough. */
  modalities?: readonly string[];
  /** Facilities of the sender, whatever their case. */
  facilities?: readonly string[];
  /** Key of the target. */
  target: string;
}

/** What a study is routed by. */
export interface Routed {
  serviceLevel: ServiceLevel;
  modalities: readonly string[];
  /** Of the account that sent it. */
  facility: string | null;
}

/**
 * The target of a study: the first rule that fits decides.
 *
 * @param fallback - where no rule fits
 */
export function routeStudy(rules: readonly RoutingRule[], study: Routed, fallback: string): string {
  return rules.find((rule) => fits(rule, study))?.target ?? fallback;
}

function fits({ serviceLevels, modalities, facilities }: RoutingRule, study: Routed): boolean {
  const facility = study.facility?.trim().toLowerCase();
  return (
    (serviceLevels?.includes(study.serviceLevel) ?? true) &&
    (modalities?.some((modality) => study.modalities.includes(modality)) ?? true) &&
    (facilities?.some((name) => name.trim().toLowerCase() === facility) ?? true)
  );
}
