/**
 * The text whose HMAC says "the same study": normalised patient name, study date, modality (FR-UPLOAD-05).
 * Case, accents, punctuation and the order of name parts do not make a different patient:
 * `Doe^Jane`, `Doe, Jane` and `jane doe` are one.
 *
 * @param studyDate - `YYYY-MM-DD`
 */
export function dedupeText(patientName: string, studyDate: string, modality: string): string {
  const words = patientName
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .sort();
  return [words.join(' '), studyDate, modality.toUpperCase()].join('\n');
}
