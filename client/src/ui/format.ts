import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** `512 MB`, `1.4 GB`: decimal units, as people know them from their devices; three digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : value >= 9.95 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${UNITS[unit]}`;
}

/** `about 2 min left`. @param seconds - undefined or infinite: nothing to say */
export function formatTimeLeft(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '';
  if (seconds < 10) return 'a few seconds left';
  if (seconds < 60) return `about ${Math.round(seconds / 5) * 5} s left`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`;
  const hours = seconds / 3600;
  return `about ${hours < 10 ? Number(hours.toFixed(1)) : Math.round(hours)} h left`;
}

/** `14 Jan 2026`. @param date - `YYYY-MM-DD`; anything else is shown as it is */
export function formatDate(date: string): string {
  const time = Date.parse(`${date}T00:00:00Z`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(time)) return date;
  // Day, month in letters, year: read the same on both sides of the Atlantic.
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  }).format(time);
}

/** `14 Jan 2026, 10:05` in the time zone of the device, or only the time when that was today. */
export function formatMoment(iso: string, now = new Date()): string {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return iso;
  const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format(moment);
  if (moment.toDateString() === now.toDateString()) return `today, ${time}`;
  const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' }).format(
    moment,
  );
  return `${day}, ${time}`;
}

/** `Doe, Jane`, also for a name written as DICOM does: `Doe^Jane`. */
export function formatPatientName(name: string): string {
  return formatPersonName(name) || name;
}

/** `1 image`, `2 images`, `1,200 images`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${new Intl.NumberFormat('en-GB').format(number)} ${number === 1 ? one : many}`;
}

/** Whole percent, never 100 before everything is there. */
export function percent(part: number, whole: number): number {
  if (whole <= 0) return part >= whole ? 100 : 0;
  return Math.max(0, Math.min(100, Math.floor((part / whole) * 100)));
}
