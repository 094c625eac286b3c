import knexFactory, { type Knex } from 'knex';
import pg from 'pg';

export type Database = Knex;
/** A database or a transaction of it: what the repositories work on. */
export type Queryable = Knex | Knex.Transaction;

const LOCK_TIMEOUT_MS = 10_000;
const INT8 = 20;
const DATE = 1082;

/**
 * Sizes are int8 and fit a double exactly up to 2^53 bytes; a date stays the text `YYYY-MM-DD`, because a
 * JavaScript Date would move it by the time zone.
 */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8) return Number;
    if (oid === DATE) return (value: string) => value;
    return pg.types.getTypeParser(oid, format);
  },
};

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** By the columns' names: they are few, and come with every row. */
const camelNames = new Map<string, string>();

function camel(name: string): string {
  const known = camelNames.get(name);
  if (known !== undefined) return known;
  const made = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  camelNames.set(name, made);
  return made;
}

function camelRow(row: unknown): unknown {
  if (row === null || typeof row !== 'object' || Array.isArray(row)) return row;
  const renamed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) renamed[camel(key)] = value;
  return renamed;
}

function camelResult(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(camelRow);
  if (result !== null && typeof result === 'object' && 'rows' in result && Array.isArray(result.rows)) {
    return { ...result, rows: result.rows.map(camelRow) };
  }
  return camelRow(result);
}

/**
 * For queries that run with every chunk of every upload: under a name PostgreSQL keeps their plan per connection,
 * which costs more to make than to carry out.
 */
export const prepared = (name: string) => ({ name: `relaypacs ${name}` });

/**
 * Opens a pool to PostgreSQL. This is the one place where snake_case columns become camelCase properties and back.
 *
 * @param url - connection URL
 * @param poolMax - most connections at once
 */
export function openDatabase(url: string, poolMax: number): Database {
  return knexFactory({
    client: 'pg',
    connection: {
      connectionString: url,
      types,
      application_name: 'relaypacs',
      // A transaction that is stuck must not hold up everybody who needs one of its rows.
      options: `-c lock_timeout=${LOCK_TIMEOUT_MS}`,
    } as Knex.PgConnectionConfig,
    pool: { min: 0, max: poolMax, idleTimeoutMillis: 30_000 },
    acquireConnectionTimeout: 10_000,
    wrapIdentifier: (value, original) => original(value === '*' ? value : snake(value)),
    postProcessResponse: camelResult,
  });
}
