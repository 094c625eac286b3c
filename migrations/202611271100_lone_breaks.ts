import type { Knex } from 'knex';

/** For how long a PACS has been breaking off over one image while it worked otherwise. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('instances', (table) => {
    // Breaks in a row, each of them with a sign in between that the PACS works, and when the first of them was.
    table.integer('breaks_in_row').notNullable().defaultTo(0);
    table.timestamp('breaks_since');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('instances', (table) => {
    table.dropColumns('breaks_in_row', 'breaks_since');
  });
}
