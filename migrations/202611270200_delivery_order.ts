import type { Knex } from 'knex';

/** Whether each PACS takes anything now, as all workers see it, and whose turn it is. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('pacs_circuits', (table) => {
    // As in the configuration.
    table.text('key').primary();
    // open: nothing is sent; half_open: one study at a time tries whether it works again.
    table.text('state').notNullable().defaultTo('closed').checkIn(['closed', 'open', 'half_open']);
    // Why it is open: the kind for programs, the reason for the operator. Neither tells of a study.
    table.text('kind');
    table.text('reason');
    // Failures in a row, of probes and of deliveries.
    table.integer('failures').notNullable().defaultTo(0);
    table.timestamp('opened_at');
    table.timestamp('checked_at');
    table.integer('latency_ms');
    table.timestamp('next_probe_at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('delivery_turns', (table) => {
    table.uuid('user_id').primary().references('users.id').onDelete('CASCADE');
    // When a study of this sender was last begun.
    table.timestamp('last_at').notNullable();
  });
  await knex.raw(`CREATE INDEX studies_claimed ON studies (target) WHERE claimed_by IS NOT NULL`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP INDEX studies_claimed');
  await knex.schema.dropTable('delivery_turns');
  await knex.schema.dropTable('pacs_circuits');
}
