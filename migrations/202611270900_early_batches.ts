import type { Knex } from 'knex';

/** What early delivery has to remember from one look at what arrived to the next. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    // What every image that was looked at says of its patient, also of those that did not go; each combination once.
    table.jsonb('early_patients').notNullable().defaultTo('[]');
    // Before then a few more images are not worth asking the PACS for what it has; null: go on at once.
    table.timestamp('early_due_at');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumns('early_patients', 'early_due_at');
  });
}
