import type { Knex } from 'knex';

/** What was entered can be corrected, and a study be delivered once more. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    // What was entered was corrected, and the files have not been compared with it since.
    table.timestamp('corrected_at');
    // Objects without a Patient ID are given the one that was entered.
    table.boolean('adds_patient_id').notNullable().defaultTo(false);
  });
  await knex.schema.alterTable('studies', (table) => {
    table.index(['upload_id']);
  });
  await knex.raw('CREATE INDEX studies_resends ON studies (resend_of) WHERE resend_of IS NOT NULL');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX studies_resends');
  await knex.schema.alterTable('studies', (table) => {
    table.dropIndex(['upload_id']);
  });
  await knex.schema.alterTable('uploads', (table) => {
    table.dropColumns('corrected_at', 'adds_patient_id');
  });
}
