import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newImplicitUpload } from './implicit-upload.js';

const CONFIG = {
  uploads: { maxBytes: 5000, ttlHours: 2, chunkSize: 1, maxChunkSize: 2 },
  pacs: { all: [], rules: [], choices: ['archive'] },
} as unknown as Parameters<typeof newImplicitUpload>[0];
const SECRET = randomBytes(32);
const named = `patientName ${btoa('Doe^Jane')},studyDate ${btoa('2026-01-02')},modality ${btoa('CT')}`;
const make = (given: Partial<Parameters<typeof newImplicitUpload>[2]> = {}, secret = SECRET) =>
  newImplicitUpload(CONFIG, secret, {
    userId: 'u',
    tusMetadata: undefined,
    size: 100,
    isSlice: false,
    ...given,
  });

describe('an upload made with its file', () => {
  it('goes to the PACS the sender chose, if it may be chosen', () => {
    expect(make().target).toBeNull();
    expect(make({ tusMetadata: `target ${btoa('archive')}` }).target).toBe('archive');
    expect(() => make({ tusMetadata: `target ${btoa('default')}` })).toThrow(/target: Choose one of archive/);
  });

  it('holds that file and no other', () => {
    expect(make()).toMatchObject({ userId: 'u', fileCount: 1, totalBytes: 100, isImplicit: true });
    expect(make({ size: undefined }).totalBytes).toBe(5000);
    expect(make({ size: 0 }).totalBytes).toBe(0);
  });

  it('ends after the usual time', () => {
    const left = make().expiresAt.getTime() - Date.now();
    expect(Math.abs(left - 2 * 3_600_000)).toBeLessThan(5000);
  });

  it('is shown unless it only holds a slice', () => {
    expect(make().isHidden).toBe(false);
    expect(make({ isSlice: true }).isHidden).toBe(true);
  });

  it('is of today when no date is given', () => {
    const today = () => new Date().toISOString().slice(0, 10);
    const before = today();
    const { studyDate } = make();
    expect([before, today()]).toContain(studyDate);
    expect(make({ tusMetadata: named }).studyDate).toBe('2026-01-02');
  });

  it('is known again when its patient is named, and only then', () => {
    const key = (given: Parameters<typeof make>[0], secret = SECRET) =>
      make(given, secret).dedupeKey.toString('hex');
    expect(key({ tusMetadata: named })).toBe(key({ tusMetadata: named }));
    expect(key({ tusMetadata: named }, randomBytes(32))).not.toBe(key({ tusMetadata: named }));
    expect(key({})).not.toBe(key({}));
  });
});
