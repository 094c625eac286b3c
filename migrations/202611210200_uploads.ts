import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('uploads', (table) => {
    table.uuid('id').primary();
    table.uuid('user_id').notNullable().references('users.id');
    table
      .text('status')
      .notNullable()
      .checkIn([
        'created',
        'uploading',
        'received',
        'processing',
        'delivering',
        'delivered',
        'rejected',
        'failed',
        'expired',
        'cancelled',
      ]);
    table.text('service_level').notNullable().checkIn(['routine', 'emergency', 'stat']);
    table.text('patient_name').notNullable();
    table.text('patient_id');
    table.date('patient_birth_date');
    table.text('patient_sex');
    table.date('study_date').notNullable();
    table.text('modality').notNullable();
    table.text('study_description');
    table.text('clinical_history');
    table.text('study_instance_uid');
    table.integer('file_count').notNullable();
    table.bigInteger('total_bytes').notNullable();
    table.binary('dedupe_key').notNullable();
    table.jsonb('problem');
    table.timestamp('expires_at').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('updated_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('received_at');
    table.timestamp('ended_at');
    table.timestamp('bytes_removed_at');
    // Who checks it now (intake), until when, and how often it was begun.
    table.uuid('claimed_by');
    table.timestamp('claim_expires_at');
    table.integer('attempts').notNullable().defaultTo(0);
    table.timestamp('next_attempt_at');
    table.index(['user_id', 'id']);
    table.index(['dedupe_key', 'created_at']);
  });
  await knex.raw(
    `CREATE INDEX uploads_unfinished ON uploads (status) WHERE status NOT IN ('delivered', 'cancelled', 'expired')`,
  );
  await knex.raw('CREATE INDEX uploads_with_bytes ON uploads (ended_at) WHERE bytes_removed_at IS NULL');

  await knex.schema.createTable('upload_files', (table) => {
    table.uuid('id').primary();
    table.uuid('upload_id').notNullable().references('uploads.id').onDelete('CASCADE');
    table.text('client_id');
    table.text('filename').notNullable();
    table.text('relative_path');
    table.text('filetype');
    // The Upload-Metadata header as it came: tus wants it back in every HEAD answer.
    table.text('tus_metadata');
    table.bigInteger('size');
    table.text('status').notNullable().checkIn(['uploading', 'received', 'accepted', 'rejected']);
    table.jsonb('problem');
    table.jsonb('findings').notNullable().defaultTo('[]');
    // Of what arrived, as the worker read it; and what the sender announced.
    table.binary('md5');
    table.binary('sha256');
    table.binary('announced_md5');
    table.binary('announced_sha256');
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('finished_at');
    table.index(['upload_id', 'status']);
    // A creation that is sent again because its answer was lost finds the file it made (NULLs do not collide).
    table.unique(['upload_id', 'client_id']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('upload_files');
  await knex.schema.dropTable('uploads');
}
