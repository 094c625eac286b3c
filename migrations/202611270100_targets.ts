import type { Knex } from 'knex';

/** To which PACS a study goes, whether it is sent there once more, and what decides about it. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('users', (table) => {
    // Where the account works; studies can be routed by it.
    table.text('facility');
  });
  await knex.schema.alterTable('uploads', (table) => {
    // The PACS the sender chose; null: the rules decide.
    table.text('target');
  });
  await knex.schema.alterTable('studies', (table) => {
    table.text('target').notNullable().defaultTo('default');
    // The delivery this one repeats, to the same or another PACS, because an administrator asked for it.
    table.uuid('resend_of').references('studies.id').onDelete('CASCADE');
    table.dropUnique(['upload_id', 'study_instance_uid']);
  });
  await knex.raw(
    `CREATE UNIQUE INDEX studies_first_delivery ON studies (upload_id, study_instance_uid) WHERE resend_of IS NULL`,
  );
  await knex.raw(`ALTER TABLE studies ALTER COLUMN target DROP DEFAULT`);
}

export async function down(knex: Knex): Promise<void> {
  await knex('studies').whereNotNull('resend_of').delete();
  await knex.schema.raw('DROP INDEX studies_first_delivery');
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumns('target', 'resend_of');
    table.unique(['upload_id', 'study_instance_uid']);
  });
  await knex.schema.alterTable('uploads', (table) => {
    table.dropColumn('target');
  });
  await knex.schema.alterTable('users', (table) => {
    table.dropColumn('facility');
  });
}
