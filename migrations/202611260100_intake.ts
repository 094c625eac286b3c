import type { Knex } from 'knex';

/** What files hold, what archives hold, how an instance's bytes are read from within them, and doubts. */
export async function up(knex: Knex): Promise<void> {
  await allowFileStatuses(knex, ['uploading', 'received', 'accepted', 'rejected', 'ignored']);
  await knex.schema.alterTable('upload_files', (table) => {
    table.text('kind').checkIn(['dicom', 'archive', 'image', 'dicomdir', 'other']);
    // Written by the intake: a wrapped image or note. Never a file of the sender's.
    table.boolean('is_derived').notNullable().defaultTo(false);
  });
  await knex.schema.createTable('archive_entries', (table) => {
    table.uuid('upload_file_id').notNullable().references('upload_files.id').onDelete('CASCADE');
    // In the order in which the archive lists them.
    table.integer('position').notNullable();
    table.text('path').notNullable();
    table.bigInteger('size');
    table.text('kind').notNullable().checkIn(['dicom', 'archive', 'image', 'dicomdir', 'other']);
    table.text('status').notNullable().checkIn(['accepted', 'rejected', 'ignored']);
    table.jsonb('problem');
    table.jsonb('findings').notNullable().defaultTo('[]');
    table.primary(['upload_file_id', 'position']);
  });
  await knex.schema.alterTable('uploads', (table) => {
    table.text('waiting_for').checkIn(['sender']);
    table.jsonb('warnings').notNullable().defaultTo('[]');
    // What the sender wants when there are doubts; null: what the operator has configured.
    table.text('on_doubt').checkIn(['send', 'ask']);
  });
  await knex.schema.alterTable('studies', (table) => {
    table.jsonb('warnings').notNullable().defaultTo('[]');
  });
  await knex.schema.alterTable('instances', (table) => {
    // The way from the uploaded file to the object's file, through archives; null: it is the uploaded file.
    table.jsonb('steps');
    // What a repaired object is made of, new bytes and ranges; null: `size` bytes from `source_offset`.
    table.jsonb('pieces');
    // The PACS held the same bytes before anything was sent.
    table.boolean('already_there').notNullable().defaultTo(false);
    table.index(['sop_instance_uid']);
  });
}

export async function down(knex: Knex): Promise<void> {
  // What lies in archives, was repaired or made here cannot be read without these columns: it is taken in again.
  const affected = knex('instances as i')
    .join('studies as s', 's.id', 'i.study_id')
    .join('uploads as u', 'u.id', 's.upload_id')
    .join('upload_files as f', 'f.id', 'i.upload_file_id')
    .whereIn('u.status', ['processing', 'delivering', 'failed'])
    .where((unreadable) =>
      unreadable.whereNotNull('i.steps').orWhereNotNull('i.pieces').orWhere('f.is_derived', true),
    )
    .distinct('u.id');
  const ids: string[] = (await affected).map(({ id }: { id: string }) => id);
  await knex('studies').whereIn('upload_id', ids).delete();
  await knex('uploads').whereIn('id', ids).update({ status: 'received', ended_at: null, attempts: 0 });
  await knex.schema.alterTable('instances', (table) => {
    table.dropIndex(['sop_instance_uid']);
    table.dropColumns('steps', 'pieces', 'already_there');
  });
  await knex.schema.alterTable('studies', (table) => {
    table.dropColumns('warnings');
  });
  await knex.schema.alterTable('uploads', (table) => {
    table.dropColumns('waiting_for', 'warnings', 'on_doubt');
  });
  await knex.schema.dropTable('archive_entries');
  // The rows of derived files stay: their bytes have to be found when they are removed.
  await knex('upload_files').where({ status: 'ignored' }).update({ status: 'rejected' });
  await allowFileStatuses(knex, ['uploading', 'received', 'accepted', 'rejected']);
  await knex.schema.alterTable('upload_files', (table) => {
    table.dropColumns('kind', 'is_derived');
  });
}

async function allowFileStatuses(knex: Knex, statuses: readonly string[]): Promise<void> {
  const list = statuses.map((status) => `'${status}'`).join(', ');
  await knex.raw('ALTER TABLE upload_files DROP CONSTRAINT upload_files_status_check');
  await knex.raw(
    `ALTER TABLE upload_files ADD CONSTRAINT upload_files_status_check CHECK (status IN (${list}))`,
  );
}
