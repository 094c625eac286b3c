import type { Knex } from 'knex';

/** Objects that went to a PACS and are no longer part of their upload, because what was entered was corrected. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    // Nothing of it is part of the upload any more; it stays for what a PACS has of it.
    table.timestamp('superseded_at');
  });
  await knex.schema.alterTable('instances', (table) => {
    table.timestamp('superseded_at');
    // Key of the PACS it went to: the study may be redirected later.
    table.text('superseded_target');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex('instances').whereNotNull('superseded_at').delete();
  await knex('studies').whereNotNull('superseded_at').delete();
  await knex.schema.alterTable('instances', (table) => {
    table.dropColumns('superseded_at', 'superseded_target');
  });
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumn('superseded_at');
  });
}
