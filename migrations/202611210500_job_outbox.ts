import type { Knex } from 'knex';

/** Jobs written in the transaction that made them necessary; they leave it when the queue has taken them. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('job_outbox', (table) => {
    table.bigIncrements('id');
    table.text('queue').notNullable();
    table.text('job_id').notNullable();
    table.jsonb('payload').notNullable();
    table.integer('priority').notNullable();
    table.timestamp('run_at').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('job_outbox');
}
