// For knex's own command: NODE_OPTIONS='--import tsx' DATABASE_URL=… npx knex migrate:status
import { knexConfig } from './scripts/migrate.js';

export default knexConfig(process.env.DATABASE_URL ?? '');
