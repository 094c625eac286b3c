import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadDatabaseUrl } from '@relaypacs/core/config.js';
import { configOrExit } from '@relaypacs/core/config-or-exit.js';
import { runMigrations } from 'bullmq';
import knexFactory, { type Knex } from 'knex';
import pg from 'pg';
import { isMainModule } from './main-module.js';
import { checkDatabase } from './outside-services.js';

/** The schema BullMQ keeps its jobs in when it runs on PostgreSQL. */
const QUEUE_SCHEMA = 'bullmq';
/** Any number that is ours: the advisory lock that lets one process migrate at a time. */
const MIGRATION_LOCK = 5_271_909_104;

const folder = fileURLToPath(new URL('../migrations/', import.meta.url));

/** Names by the time they were written: `YYYYMMDDHHMM_name.ts`. Tests and types beside them are not migrations. */
const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () =>
    readdirSync(folder)
      .flatMap((file) => /^(\d{12}_\w+)\.ts$/.exec(file)?.[1] ?? [])
      .sort(),
  getMigrationName: (name) => `${name}.ts`,
  getMigration: async (name) => (await import(`../migrations/${name}.ts`)) as Knex.Migration,
};

/** How knex connects and finds the migrations; also what `knexfile.ts` gives to knex's own command. */
export function knexConfig(databaseUrl: string): Knex.Config {
  return { client: 'pg', connection: databaseUrl, pool: { min: 0, max: 2 }, migrations: { migrationSource } };
}

/**
 * Brings the database to the newest schema: the tables of `migrations/`, then BullMQ's. Safe to run again, by several
 * processes at once, and after one of them was killed half-way.
 *
 * @param databaseUrl - `postgres://user:password@host:port/database`
 * @returns the names of the migrations that were run now
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  const knex = knexFactory(knexConfig(databaseUrl));
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    // We hold the real lock, so knex's own, a row that outlives a killed process, can only be a leftover.
    await knex.migrate.forceFreeMigrationsLock();
    const [, names]: [number, string[]] = await knex.migrate.latest();
    await runMigrations(client, QUEUE_SCHEMA);
    return names;
  } finally {
    await knex.destroy();
    await client.end();
  }
}

if (isMainModule(import.meta.url)) {
  const databaseUrl = configOrExit(loadDatabaseUrl);
  try {
    await checkDatabase(databaseUrl);
    const names = await migrate(databaseUrl);
    console.log(names.length === 0 ? 'The database is up to date.' : `Migrated: ${names.join(', ')}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
