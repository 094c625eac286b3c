import { ConfigError } from '@relaypacs/core/config.js';
import { describe, expect, it } from 'vitest';
import { freePort } from './free-port.js';
import { checkDatabase, checkRedis } from './outside-services.js';

describe('a service that the configuration names and that does not answer', () => {
  it.each([
    ['DATABASE_URL', 'postgres://somebody:s3cret@', checkDatabase],
    ['REDIS_URL', 'redis://:s3cret@', checkRedis],
  ])('is told by a sentence with %s and its address, without the password', async (name, start, check) => {
    const address = `127.0.0.1:${await freePort()}`;
    const error = await check(`${start}${address}/0`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).toMatch(new RegExp(`^${name} .*${address}.*ECONNREFUSED`));
    expect(message).not.toContain('s3cret');
  });
});
