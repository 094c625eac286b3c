import type { PacsStatus, SystemStatus } from '@relaypacs/core/contract/admin.js';
import { count, formatMoment } from '../../ui/format.js';
import type { NoticeTone } from '../../ui/Notice.js';

interface PacsWords {
  tone: NoticeTone;
  label: string;
  /** What it means for the studies. */
  sentence: string;
}

/** How a PACS is, for the people who look after it. */
export function pacsWords({ circuit, since, checkedAt }: PacsStatus, now = new Date()): PacsWords {
  const from = since === null ? '' : ` since ${formatMoment(since, now)}`;
  if (circuit === 'open') {
    return {
      tone: 'bad',
      label: `Takes nothing${from}`,
      sentence: 'Its studies are safe here and wait. It is asked again by itself, every 15 seconds at most.',
    };
  }
  if (circuit === 'half_open') {
    return {
      tone: 'waiting',
      label: 'Answers again',
      sentence: `It took nothing${from}, and is tried with one study at a time.`,
    };
  }
  return checkedAt === null
    ? { tone: 'waiting', label: 'Not asked yet', sentence: 'It is asked when the worker has started.' }
    : { tone: 'good', label: 'Takes studies', sentence: `It answered ${formatMoment(checkedAt, now)}.` };
}

/** `3 studies wait, 1 is on its way` */
export function loadWords({ waiting, running }: Pick<PacsStatus, 'waiting' | 'running'>): string {
  if (waiting === 0 && running === 0) return 'Nothing waits for it.';
  const waits = `${count(waiting, 'study', 'studies')} ${waiting === 1 ? 'waits' : 'wait'} for it`;
  if (running === 0) return `${waits}.`;
  const runs = `${running} ${running === 1 ? 'is' : 'are'} on the way`;
  return waiting === 0
    ? `${count(running, 'study', 'studies')} ${running === 1 ? 'is' : 'are'} on the way.`
    : `${waits}, ${runs}.`;
}

/** What waits in the queue, by the names of its jobs. */
export function queueWords(queues: SystemStatus['queues']): string {
  if (queues === null) {
    return 'The queue cannot be asked at the moment. Work goes on by what the database says, more slowly.';
  }
  const depths = Object.entries(queues);
  if (depths.every(([, depth]) => depth === 0)) return 'No jobs wait in the queue.';
  return `Jobs in the queue: ${depths.map(([name, depth]) => `${name} ${depth}`).join(', ')}.`;
}
