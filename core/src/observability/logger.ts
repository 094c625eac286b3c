import { AsyncLocalStorage } from 'node:async_hooks';
import winston from 'winston';

/** What every log line of a request or job carries; ids only. */
export interface LogContext {
  requestId?: string;
  userId?: string;
  uploadId?: string;
  studyId?: string;
  jobId?: string;
}

const storage = new AsyncLocalStorage<LogContext>();

/** Runs `work` so that every line logged inside carries `context` (on top of what it carries already). */
export function withLogContext<T>(context: LogContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, work);
}

/** Adds to the context of the running request or job, for what is known only later (the user). */
export function addLogContext(context: LogContext): void {
  const store = storage.getStore();
  if (store) Object.assign(store, context);
}

const addContext = winston.format((info) => Object.assign(info, storage.getStore()));

/** An Error as a plain object: message, code, stack and cause, nothing else that might carry patient data. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  return {
    name: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause !== undefined && depth < 3 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}

const renderErrors = winston.format((info) => {
  if ('error' in info) info.error = describeError(info.error);
  return info;
});

export type Logger = winston.Logger;

/**
 * A logger that writes one JSON object a line to stdout: time, level, message, service and the context's ids.
 * Errors are passed as `{ error }`. Never pass patient data: not names, not UIDs with dates, not file names.
 */
export function createLogger(service: string, level: string): Logger {
  return winston.createLogger({
    level,
    defaultMeta: { service },
    format: winston.format.combine(
      addContext(),
      renderErrors(),
      winston.format.timestamp(),
      winston.format.json(),
    ),
    transports: [new winston.transports.Console()],
  });
}
