import { describe, expect, it } from 'vitest';
import { readStartPlan, serviceEnvironment } from './environment.js';

const POSTGRES = 'postgres://u:p@db.example.org/relaypacs';
const PACS = 'https://pacs.example.org/dicom-web';

describe('what npm start runs', () => {
  it('is everything when nothing is set', () => {
    const plan = readStartPlan({});
    expect(plan.embedded).toBe(true);
    expect(plan.sandbox).toMatchObject({ port: 8042, url: 'http://127.0.0.1:8042' });
    expect(serviceEnvironment({ LOG_LEVEL: 'warn' }, plan, 'postgres://embedded')).toMatchObject({
      DATABASE_URL: 'postgres://embedded',
      PACS_URL: 'http://127.0.0.1:8042/dicom-web',
      SANDBOX_PORT: '8042',
      PORT: '8080',
      LOG_LEVEL: 'warn',
    });
  });

  it('leaves out the sandbox when a PACS is given', () => {
    const plan = readStartPlan({ PACS_URL: PACS });
    expect(plan).toMatchObject({ embedded: true, sandbox: undefined });
    expect(serviceEnvironment({ PACS_URL: PACS }, plan, 'postgres://embedded').PACS_URL).toBe(PACS);
  });

  it('leaves out PostgreSQL and the sandbox when a database is given: uploads then wait for a PACS', () => {
    const plan = readStartPlan({ DATABASE_URL: POSTGRES });
    expect(plan).toMatchObject({ embedded: false, sandbox: undefined });
    const env = serviceEnvironment({ DATABASE_URL: POSTGRES }, plan, undefined);
    expect(env.DATABASE_URL).toBe(POSTGRES);
    expect(env).not.toHaveProperty('PACS_URL');
  });

  it('takes an empty variable for an unset one', () => {
    expect(readStartPlan({ DATABASE_URL: '', SANDBOX_PORT: '' })).toMatchObject({
      embedded: true,
      sandbox: { port: 8042 },
    });
  });

  it.each([
    [{ PORT: 'http' }, 'PORT'],
    [{ LOG_TO_TERMINAL: 'yes' }, 'LOG_TO_TERMINAL'],
    [{ SANDBOX_PORT: '70000' }, 'SANDBOX_PORT'],
    [{ PORT: '8042' }, 'SANDBOX_PORT'],
    [{ METRICS_PORT: '9464', WORKER_METRICS_PORT: '9464' }, 'WORKER_METRICS_PORT'],
    [{ PACS_URL: 'pacs.example.org' }, 'PACS_URL'],
  ])('is refused for %o by a sentence that names %s', (env, name) => {
    expect(() => readStartPlan(env)).toThrow(name);
  });
});
