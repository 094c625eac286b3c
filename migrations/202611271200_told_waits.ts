import type { Knex } from 'knex';

/** What the history of an upload tells of studies that wait for their PACS. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    // Nothing of it got through since then; `waiting_for` says less, as it is taken back with every try.
    table.timestamp('waiting_since');
    // The history says so.
    table.boolean('wait_told').notNullable().defaultTo(false);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumns('waiting_since', 'wait_told');
  });
}
