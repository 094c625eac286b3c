import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('studies', (table) => {
    table.uuid('id').primary();
    table.uuid('upload_id').notNullable().references('uploads.id').onDelete('CASCADE');
    table.text('study_instance_uid').notNullable();
    table.text('patient_name');
    table.text('patient_id');
    table.date('patient_birth_date');
    table.text('patient_sex');
    table.date('study_date');
    table.text('study_description');
    table.text('accession_number');
    table.specificType('modalities', 'text[]').notNullable().defaultTo('{}');
    table.integer('series_count').notNullable();
    table.text('status').notNullable().checkIn(['pending', 'delivering', 'delivered', 'failed']);
    table.text('waiting_for').checkIn(['pacs']);
    table.jsonb('problem');
    table.uuid('claimed_by');
    table.timestamp('claim_expires_at');
    table.integer('attempts').notNullable().defaultTo(0);
    table.timestamp('next_attempt_at');
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('updated_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('delivered_at');
    table.unique(['upload_id', 'study_instance_uid']);
    table.index(['study_instance_uid']);
  });
  await knex.raw(
    `CREATE INDEX studies_undelivered ON studies (next_attempt_at) WHERE status IN ('pending', 'delivering')`,
  );

  await knex.schema.createTable('instances', (table) => {
    table.uuid('id').primary();
    table.uuid('study_id').notNullable().references('studies.id').onDelete('CASCADE');
    table.uuid('upload_file_id').notNullable().references('upload_files.id').onDelete('CASCADE');
    table.text('sop_instance_uid').notNullable();
    table.text('series_instance_uid').notNullable();
    table.text('sop_class_uid').notNullable();
    table.text('transfer_syntax_uid').notNullable();
    table.text('modality');
    table.integer('series_number');
    table.integer('instance_number');
    // Where the object begins in its file, and its length, in bytes.
    table.bigInteger('source_offset').notNullable().defaultTo(0);
    table.bigInteger('size').notNullable();
    table.binary('sha256').notNullable();
    table.text('status').notNullable().checkIn(['pending', 'stored', 'warning', 'failed', 'verified']);
    table.jsonb('problem');
    table.integer('sends').notNullable().defaultTo(0);
    table.integer('lone_breaks').notNullable().defaultTo(0);
    table.timestamp('broke_at');
    table.timestamp('stored_at');
    table.timestamp('verified_at');
    table.unique(['study_id', 'sop_instance_uid']);
    table.index(['study_id', 'status']);
    table.index(['upload_file_id']);
    table.index(['stored_at']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('instances');
  await knex.schema.dropTable('studies');
}
