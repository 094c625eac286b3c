import type { Knex } from 'knex';

/** Files are examined while the rest of their upload still arrives; what was found is kept until all of it is taken in. */
export async function up(knex: Knex): Promise<void> {
  // In the order in which everybody else takes them.
  await knex.raw('LOCK TABLE uploads, upload_files IN SHARE ROW EXCLUSIVE MODE');
  await knex.schema.createTable('file_examinations', (table) => {
    table.uuid('file_id').primary().references('id').inTable('upload_files').onDelete('CASCADE');
    table.uuid('upload_id').notNullable().references('id').inTable('uploads').onDelete('CASCADE');
    // Of the rules by which it was examined; other ones examine it again.
    table.integer('rules').notNullable();
    // Null where the sender had announced none by then.
    table.binary('md5');
    table.binary('sha256').notNullable();
    // As it came: a value of a file may hold NUL, which jsonb refuses.
    table.specificType('found', 'json').notNullable();
    table.index('upload_id');
  });
  await knex.raw(
    `CREATE INDEX upload_files_arrived ON upload_files (upload_id, id)
     WHERE status = 'received' AND NOT seen_early AND NOT is_partial AND NOT is_derived`,
  );
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX upload_files_arrived');
  await knex.schema.dropTable('file_examinations');
}
