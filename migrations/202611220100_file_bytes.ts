import type { Knex } from 'knex';

/** Which bytes of a file are acknowledged, in which objects they lie, and which server may write it now. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('upload_files', (table) => {
    table.bigInteger('bytes_received').notNullable().defaultTo(0);
    // A slice of a file (tus, Concatenation); it never counts as a file of the upload.
    table.boolean('is_partial').notNullable().defaultTo(false);
    // The slices a file was joined from, in order: the same join asked for again finds it.
    table.specificType('joined_from', 'uuid[]').index();
    table.index(['client_id']);
  });
  await knex.schema.alterTable('uploads', (table) => {
    // Made by a tus creation that named no upload.
    table.boolean('is_implicit').notNullable().defaultTo(false);
    // Holds slices that belong to no upload yet; shown to nobody.
    table.boolean('is_hidden').notNullable().defaultTo(false);
  });
  await knex.schema.createTable('file_segments', (table) => {
    table.uuid('file_id').notNullable().references('upload_files.id').onDelete('CASCADE');
    // Where the segment begins in the file, in bytes; it ends where the next one begins.
    table.bigInteger('start').notNullable();
    table.text('key').notNullable().unique();
    table.primary(['file_id', 'start']);
  });
  // What arrived before lies in one object under the file's id. Files under way begin again: how much of them is on
  // the disk was not written down.
  await knex.raw(`UPDATE upload_files SET bytes_received = size WHERE status <> 'uploading'`);
  await knex.raw(`
    INSERT INTO file_segments (file_id, start, key)
    SELECT f.id, 0, CAST(f.id AS text) FROM upload_files f JOIN uploads u ON u.id = f.upload_id
    WHERE f.status <> 'uploading' AND f.size > 0 AND u.bytes_removed_at IS NULL`);
  await knex.raw('CREATE SEQUENCE file_lease_tokens');
  await knex.schema.createTable('file_leases', (table) => {
    table.uuid('file_id').primary().references('upload_files.id').onDelete('CASCADE');
    table.uuid('holder').notNullable().index();
    // Rises with every lease: a holder that was only slow cannot write any more.
    table.bigInteger('token').notNullable();
    table.timestamp('expires_at').notNullable();
    table.timestamp('release_requested_at');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('file_leases');
  await knex.raw('DROP SEQUENCE file_lease_tokens');
  await knex.schema.dropTable('file_segments');
  await knex.schema.alterTable('uploads', (table) => {
    table.dropColumns('is_implicit', 'is_hidden');
  });
  await knex.schema.alterTable('upload_files', (table) => {
    table.dropIndex(['client_id']);
    table.dropColumns('bytes_received', 'is_partial', 'joined_from');
  });
}
