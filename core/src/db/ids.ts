import { v7 } from 'uuid';

/** A new UUIDv7: unique without a coordinator and ordered by time, so lists page by it. */
export function newId(): string {
  return v7();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True when the text can be an id at all; anything else is "not found" before the database is asked. */
export function isId(value: string): boolean {
  return UUID.test(value);
}
