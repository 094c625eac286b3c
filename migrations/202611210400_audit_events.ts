import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('audit_events', (table) => {
    table.bigInteger('seq').primary();
    table.timestamp('at', { precision: 3 }).notNullable();
    table.uuid('actor_id');
    table.text('action').notNullable();
    table.text('object_type').notNullable();
    table.uuid('object_id').notNullable();
    table.jsonb('detail').notNullable();
    table.text('ip');
    table.text('request_id');
    table.binary('previous_hash').notNullable();
    table.binary('hash').notNullable();
    table.index(['object_type', 'object_id', 'seq']);
    table.index(['actor_id', 'seq']);
  });
  // Append-only for everybody, the owner of the table included: a trail that can be edited proves nothing.
  await knex.raw(`
    CREATE FUNCTION audit_events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'audit_events is append-only';
    END $$`);
  await knex.raw(`
    CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change()`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('audit_events');
  await knex.raw('DROP FUNCTION audit_events_refuse_change()');
}
