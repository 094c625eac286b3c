import type { Knex } from 'knex';

/** How it was proven that an instance arrived; null until it was. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('instances', (table) => {
    table.text('verification').checkIn(['uids', 'bytes']);
  });
  // Until now the PACS was only asked whether it lists them.
  await knex('instances').where({ status: 'verified' }).update({ verification: 'uids' });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('instances', (table) => {
    table.dropColumn('verification');
  });
}
