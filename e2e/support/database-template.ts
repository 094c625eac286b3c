import { execFile } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../scripts/embedded-postgres.js';
import { migrate } from '../../scripts/migrate.js';

/** The DATA_DIR of the template, for the processes that the tests run in. */
const VARIABLE = 'RELAYPACS_TEST_DATABASE_TEMPLATE';

/**
 * Vitest's global setup: makes one migrated database that is stopped again, which {@link startDatabase} copies. To make
 * a cluster and to migrate it is most of what the start of a stack costs.
 *
 * @returns what removes it again
 */
export default async function makeTemplate(): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'relaypacs-template-'));
  const postgres = await startEmbeddedPostgres({ dataDir });
  try {
    await migrate(postgres.url);
  } finally {
    await postgres.stop();
  }
  // Where PostgreSQL's account cannot reach the temporary folder its data lies elsewhere: a copy would share it.
  if (!lstatSync(path.join(dataDir, 'postgres')).isSymbolicLink()) process.env[VARIABLE] = dataDir;
  return () => rm(dataDir, { recursive: true, force: true });
}

/**
 * Starts a migrated database of its own in a DATA_DIR that has none yet: a copy of the template, or, where there is
 * none (a benchmark), a new one.
 */
export async function startDatabase(dataDir: string): Promise<EmbeddedPostgres> {
  const template = process.env[VARIABLE];
  // With owners and modes, on which PostgreSQL insists.
  if (template) await promisify(execFile)('cp', ['-a', path.join(template, 'postgres'), dataDir]);
  const postgres = await startEmbeddedPostgres({ dataDir });
  if (!template) await migrate(postgres.url);
  return postgres;
}
