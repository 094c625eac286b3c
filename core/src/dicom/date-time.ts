/**
 * DICOM date (PS3.5 §6.2 DA) to `YYYY-MM-DD`. The `YYYY.MM.DD` of ACR-NEMA is understood too.
 * @returns `undefined` for anything that is no calendar date
 */
export function isoDate(value: string): string | undefined {
  const [, year = '', month = '', day = ''] =
    /^(\d{4})(\d{2})(\d{2})$/.exec(value) ?? /^(\d{4})\.(\d{2})\.(\d{2})$/.exec(value) ?? [];
  const iso = `${year}-${month}-${day}`;
  const date = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso) ? iso : undefined;
}

/**
 * DICOM time (PS3.5 §6.2 TM) to `HH:MM:SS`; missing minutes and seconds become 00 and fractions are dropped. The
 * `HH:MM:SS` of ACR-NEMA is understood too.
 * @returns `undefined` for anything that is no time of day
 */
export function isoTime(value: string): string | undefined {
  const compact = value.replace(/^(\d\d):(\d\d):(\d\d)/, '$1$2$3');
  const [, hours, minutes = '00', seconds = '00'] =
    /^(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d{1,6})?)?)?$/.exec(compact) ?? [];
  if (hours === undefined || hours > '23' || minutes > '59' || seconds > '60') return undefined;
  return `${hours}:${minutes}:${seconds}`;
}
