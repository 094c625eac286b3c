import { ConfigError } from './config.js';
import type { Logger } from './observability/logger.js';

/** A process of RelayPACS: what it is told to stop with, and what it tells its starter. */
export interface Service {
  /** Stops taking work, finishes or hands back what it has, closes what it opened. */
  stop(): Promise<void>;
  /** Told to the starter with `ready`. */
  readonly address?: string;
}

const STOP_LIMIT_MS = 20_000;

/** How a process ends that cannot run with its configuration: starting it again would not help (EX_CONFIG, sysexits.h). */
export const EXIT_CONFIG = 78;

/**
 * Starts a service and sees to its end: SIGTERM, SIGINT or the loss of the parent's IPC channel stop it in order,
 * a second signal or {@link STOP_LIMIT_MS} ends it at once. A start that fails exits with 1; one that fails by a
 * ConfigError writes only its sentences to stderr and exits with {@link EXIT_CONFIG}.
 */
export async function runService(logger: Logger, start: () => Promise<Service>): Promise<void> {
  let stopping = false;
  let service: Service | undefined;

  const stop = (reason: string) => {
    if (stopping) {
      logger.warn('Stopped at once', { reason });
      process.exit(1);
    }
    stopping = true;
    logger.info('Stopping', { reason });
    setTimeout(() => {
      logger.error('Could not stop in time');
      process.exit(1);
    }, STOP_LIMIT_MS).unref();
    (service?.stop() ?? Promise.resolve()).then(
      () => {
        logger.info('Stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error('Stopped with an error', { error });
        process.exit(1);
      },
    );
  };

  // A starter that was killed has taken the other end of stdout with it: losing log lines must not end the stop.
  process.stdout.on('error', () => {});
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // Only the loss of a starter that was there counts; a process started by hand has no channel.
  process.on('disconnect', () => stop('starter gone'));
  if (process.connected === false) stop('starter gone');
  process.on('unhandledRejection', (error) => {
    logger.error('Unhandled rejection', { error });
    process.exit(1);
  });
  process.on('uncaughtException', (error) => {
    logger.error('Uncaught exception', { error });
    process.exit(1);
  });

  try {
    service = await start();
    logger.info('Ready', { address: service.address });
    process.send?.({ type: 'ready', address: service.address });
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(EXIT_CONFIG);
    }
    logger.error('Could not start', { error });
    process.exit(1);
  }
}
