import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('users', (table) => {
    table.uuid('id').primary();
    table.text('username').notNullable();
    table.text('email').notNullable();
    table.text('password_hash').notNullable();
    table.text('full_name');
    table.text('role').notNullable().checkIn(['Clinician', 'Radiographer', 'Radiologist', 'Admin']);
    table.text('status').notNullable().checkIn(['active', 'pending', 'disabled']);
    table.binary('totp_secret');
    table.jsonb('preferences').notNullable().defaultTo('{}');
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('updated_at').notNullable().defaultTo(knex.fn.now());
  });
  // Names and addresses are one account whatever their case.
  await knex.raw('CREATE UNIQUE INDEX users_username_key ON users (lower(username))');
  await knex.raw('CREATE UNIQUE INDEX users_email_key ON users (lower(email))');

  await knex.schema.createTable('refresh_tokens', (table) => {
    table.uuid('id').primary();
    table.uuid('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.uuid('family_id').notNullable().index();
    table.binary('token_hash').notNullable().unique();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
    table.timestamp('expires_at').notNullable().index();
    table.timestamp('rotated_at');
    table.timestamp('revoked_at');
    table.index(['user_id']);
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('refresh_tokens');
  await knex.schema.dropTable('users');
}
