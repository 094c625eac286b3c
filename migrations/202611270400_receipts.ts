import type { Knex } from 'knex';

/** Receipts as they were issued, so that everybody who asks gets the same one. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('receipts', (table) => {
    table.uuid('id').primary();
    table.uuid('upload_id').notNullable().references('uploads.id').onDelete('CASCADE');
    // SHA-256 over which studies were delivered when: another one makes another receipt.
    table.binary('deliveries_key').notNullable();
    // The key it was signed with; after a change of keys it is not the one of /.well-known/jwks.json.
    table.text('key_id').notNullable();
    table.text('jws').notNullable();
    // Rendered when it is first asked for.
    table.binary('pdf');
    table.timestamp('issued_at').notNullable();
    table.unique(['upload_id', 'deliveries_key']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('receipts');
}
