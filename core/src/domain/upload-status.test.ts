import { describe, expect, it } from 'vitest';
import { UPLOAD_STATUSES } from '../contract/uploads.js';
import {
  assertMayChange,
  isCancellable,
  isSettled,
  mayChange,
  StatusChangeRefused,
  takesFiles,
} from './upload-status.js';

describe('the status table of an upload', () => {
  it('leads from created to delivered step by step', () => {
    const path = ['created', 'uploading', 'received', 'processing', 'delivering', 'delivered'] as const;
    for (let i = 1; i < path.length; i += 1) expect(mayChange(path[i - 1]!, path[i]!)).toBe(true);
  });

  it('never says delivered without delivering first', () => {
    const before = UPLOAD_STATUSES.filter((status) => mayChange(status, 'delivered'));
    expect(before).toEqual(['delivering']);
  });

  it('lets nothing out of delivered, expired and cancelled', () => {
    for (const end of ['delivered', 'expired', 'cancelled'] as const) {
      expect(UPLOAD_STATUSES.filter((to) => mayChange(end, to))).toEqual([]);
      expect(isSettled(end)).toBe(true);
    }
  });

  it('cannot be cancelled once delivery has begun', () => {
    expect(UPLOAD_STATUSES.filter(isCancellable)).toEqual([
      'created',
      'uploading',
      'received',
      'processing',
      'rejected',
    ]);
  });

  it('can be closed once it failed', () => {
    expect(
      UPLOAD_STATUSES.filter((status) => mayChange(status, 'cancelled') && !isCancellable(status)),
    ).toEqual(['failed']);
  });

  it('takes files only before it is received', () => {
    expect(UPLOAD_STATUSES.filter(takesFiles)).toEqual(['created', 'uploading']);
  });

  it('refuses a change that is not in the table, naming both ends', () => {
    expect(() => assertMayChange('delivered', 'processing')).toThrow(StatusChangeRefused);
    expect(() => assertMayChange('delivered', 'processing')).toThrow(/from delivered to processing/);
    expect(() => assertMayChange('uploading', 'uploading')).toThrow(StatusChangeRefused);
  });
});
