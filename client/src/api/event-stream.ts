import type { UploadEvent } from '@relaypacs/core/contract/events.js';
import { createParser } from 'eventsource-parser';
import { backoffMs } from './backoff.js';
import type { Network } from './network.js';

export interface EventStreamOptions {
  /** Opens the stream; called again for every reconnection. */
  open(headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
  onUpload(event: Pick<UploadEvent, 'uploadId' | 'status'>): void;
  /** The stream is open. What happened before may have been missed: look again. */
  onOpen(): void;
  onDown(): void;
  network: Network;
  /** Milliseconds without a byte (heartbeats included) after which the connection counts as dead. */
  silenceMs?: number;
  firstDelayMs?: number;
}

/**
 * Reads `GET /api/v1/events` until closed, and opens it again whenever it ends. By fetch, because the browser's
 * EventSource cannot send an Authorization header.
 */
export function openEventStream(options: EventStreamOptions): { close(): void } {
  const closing = new AbortController();
  void run(options, closing.signal);
  return { close: () => closing.abort() };
}

async function run(options: EventStreamOptions, closed: AbortSignal): Promise<void> {
  let attempt = 0;
  let lastEventId = '';
  while (!closed.aborted) {
    try {
      await readOnce(options, closed, lastEventId, {
        opened: () => {
          attempt = 0;
          options.onOpen();
        },
        idSeen: (id) => {
          lastEventId = id;
        },
      });
    } catch {
      // Whatever ended it, the answer is the same: wait and open it again.
    }
    if (closed.aborted) return;
    options.onDown();
    attempt += 1;
    await options.network.waitBeforeRetry(backoffMs(attempt, options.firstDelayMs), closed);
    await options.network.whenOnline(closed);
  }
}

async function readOnce(
  options: EventStreamOptions,
  closed: AbortSignal,
  lastEventId: string,
  on: { opened(): void; idSeen(id: string): void },
): Promise<void> {
  const connection = new AbortController();
  const end = () => connection.abort();
  closed.addEventListener('abort', end, { once: true });
  let silence = setTimeout(end, options.silenceMs ?? 45_000);
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastEventId !== '') headers['Last-Event-ID'] = lastEventId;
    const response = await options.open(headers, connection.signal);
    const body = response.body?.getReader();
    if (!body) return;
    on.opened();
    const parser = createParser({
      onEvent: (message) => {
        if (message.id) on.idSeen(message.id);
        const event = message.event === 'upload' ? uploadEvent(message.data) : undefined;
        if (event) options.onUpload(event);
      },
    });
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(end, options.silenceMs ?? 45_000);
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(silence);
    closed.removeEventListener('abort', end);
    connection.abort();
  }
}

function uploadEvent(data: string): Pick<UploadEvent, 'uploadId' | 'status'> | undefined {
  try {
    const event = JSON.parse(data) as Partial<UploadEvent> | null;
    return typeof event?.uploadId === 'string' && typeof event.status === 'string'
      ? { uploadId: event.uploadId, status: event.status }
      : undefined;
  } catch {
    return undefined;
  }
}
