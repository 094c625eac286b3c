import type { Knex } from 'knex';

/** Images of a STAT upload can be delivered while the rest of it still arrives. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.alterTable('studies', (table) => {
    // Null: all of the upload was checked. Before: going, there is something to send; waiting, for more to arrive;
    // stopped, nothing more of it goes before all was checked.
    table.text('early_delivery').checkIn(['going', 'waiting', 'stopped']);
  });
  await knex.schema.alterTable('upload_files', (table) => {
    // Was looked at for early delivery, or was being looked at when the worker ended; at most once.
    table.boolean('seen_early').notNullable().defaultTo(false);
  });
}

export async function down(knex: Knex): Promise<void> {
  // What was delivered of them is found in the PACS when all of the upload is taken in. Of an upload that ended they are
  // all there is to tell what the PACS has.
  const open = knex('uploads').whereNotIn('status', ENDED).select('id');
  await knex('studies').whereNotNull('early_delivery').whereIn('upload_id', open).delete();
  await knex.schema.alterTable('upload_files', (table) => {
    table.dropColumn('seen_early');
  });
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumn('early_delivery');
  });
}

const ENDED = ['delivered', 'failed', 'rejected', 'cancelled', 'expired'];
