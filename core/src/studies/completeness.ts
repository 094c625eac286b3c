import { groupBy, seriesLabel, seriesOf } from './image-series.js';
import type { InstanceFacts } from './instance-facts.js';
import { instanceNumberGap } from './instance-number-gap.js';
import { sliceGap } from './slice-gap.js';
import type { Warning } from './warning.js';

/** One image that a DICOMDIR lists (PS3.3 §F.3). */
export interface DicomdirEntry {
  /** As in the DICOMDIR, with `/` or `\`. */
  path: string;
  sopInstanceUid?: string | undefined;
  studyInstanceUid?: string | undefined;
}

export interface CompletenessContext {
  /** Files the sender announced and files that arrived; leave both out where only a part of the upload is judged. */
  announcedFiles?: number | undefined;
  receivedFiles?: number | undefined;
  dicomdir?: readonly DicomdirEntry[] | undefined;
}

/** Files that a message names. */
const MAX_LISTED = 3;

/**
 * What seems to be missing from a study. Every rule would rather miss a gap than invent one: a warning that is often
 * wrong is not read.
 *
 * @param instances what is there, copies included; of several studies, each is judged by itself
 */
export function findGaps(instances: readonly InstanceFacts[], context: CompletenessContext = {}): Warning[] {
  const studies = groupBy(uniqueInstances(instances), ({ studyInstanceUid }) => studyInstanceUid);
  const files = fewerFilesThanAnnounced(context);
  return [
    ...studies.flatMap((study) => gapsOfStudy(study, context.dicomdir ?? [])),
    ...(files === undefined ? [] : [files]),
  ];
}

/** Says so when fewer files arrived than the sender announced; nothing while either number is unknown. */
export function fewerFilesThanAnnounced({
  announcedFiles,
  receivedFiles,
}: Pick<CompletenessContext, 'announcedFiles' | 'receivedFiles'>): Warning | undefined {
  if (announcedFiles === undefined || receivedFiles === undefined) return undefined;
  if (receivedFiles >= announcedFiles) return undefined;
  return {
    code: 'FEWER_FILES_THAN_ANNOUNCED',
    message: `${announcedFiles} ${announcedFiles === 1 ? 'file was' : 'files were'} announced, but ${receivedFiles} arrived.`,
  };
}

/** The same instance twice, as from two folders of one disc, is one. */
function uniqueInstances(instances: readonly InstanceFacts[]): InstanceFacts[] {
  return [...new Map(instances.map((instance) => [instance.sopInstanceUid, instance])).values()];
}

function gapsOfStudy(study: readonly InstanceFacts[], dicomdir: readonly DicomdirEntry[]): Warning[] {
  const allSeries = groupBy(study, ({ seriesInstanceUid }) => seriesInstanceUid);
  const gaps = allSeries.map((series) => instanceNumberGap(series) ?? sliceGap(series));
  const shortSeries = allSeries.map(fewerThanStatedInSeries);
  const unexplained = allSeries.reduce((sum, series) => sum - missingInSeries(series), missingInStudy(study));
  const warnings = [...gaps, ...shortSeries].filter((warning) => warning !== undefined);
  if (unexplained > 0) warnings.push(fewerThanStatedInStudy(study));
  const unlisted = dicomdirListsMore(study, dicomdir);
  return unlisted === undefined ? warnings : [...warnings, unlisted];
}

/** Some devices count up while they write, so that only the greatest number is the whole. */
function missingInSeries(series: readonly InstanceFacts[]): number {
  return Math.max(0, greatest(series, 'numberOfSeriesRelatedInstances') - series.length);
}

function missingInStudy(study: readonly InstanceFacts[]): number {
  return Math.max(0, greatest(study, 'numberOfStudyRelatedInstances') - study.length);
}

function greatest(
  instances: readonly InstanceFacts[],
  name: 'numberOfSeriesRelatedInstances' | 'numberOfStudyRelatedInstances',
): number {
  return instances.reduce((max, instance) => Math.max(max, instance[name] ?? 0), 0);
}

function fewerThanStatedInSeries(series: readonly InstanceFacts[]): Warning | undefined {
  const missing = missingInSeries(series);
  if (missing === 0) return undefined;
  const stated = series.length + missing;
  return {
    code: 'FEWER_THAN_STATED',
    message: `${seriesLabel(series)}: the images say that there are ${stated}, but ${countOf(series.length)} here.`,
    ...seriesOf(series),
  };
}

function fewerThanStatedInStudy(study: readonly InstanceFacts[]): Warning {
  const stated = study.length + missingInStudy(study);
  return {
    code: 'FEWER_THAN_STATED',
    message: `The images say that there are ${stated} in the study, but ${countOf(study.length)} here.`,
  };
}

function countOf(count: number): string {
  return count === 1 ? 'only 1 is' : `only ${count} are`;
}

function dicomdirListsMore(
  study: readonly InstanceFacts[],
  dicomdir: readonly DicomdirEntry[],
): Warning | undefined {
  const present = new Set(study.map(({ sopInstanceUid }) => sopInstanceUid));
  const absent = new Map<string, string>();
  for (const { path, sopInstanceUid, studyInstanceUid } of dicomdir) {
    const ofStudy = studyInstanceUid === study[0]?.studyInstanceUid;
    if (ofStudy && sopInstanceUid !== undefined && !present.has(sopInstanceUid)) {
      absent.set(sopInstanceUid, path);
    }
  }
  if (absent.size === 0) return undefined;
  const paths = [...absent.values()].slice(0, MAX_LISTED);
  if (absent.size > MAX_LISTED) paths.push('…');
  const more = absent.size === 1 ? '1 more file' : `${absent.size} more files`;
  return {
    code: 'DICOMDIR_LISTS_MORE',
    message: `The table of contents of the disc (DICOMDIR) lists ${more} of this study: ${paths.join(', ')}.`,
  };
}
