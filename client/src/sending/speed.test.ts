import { expect, it } from 'vitest';
import { SpeedMeter } from './speed.js';

it('says nothing before it has two seconds to go by', () => {
  const meter = new SpeedMeter();
  meter.record(0, 0);
  meter.record(1_900, 1_000_000);
  expect(meter.bytesPerSecond()).toBeUndefined();
});

it('measures the last ten seconds, not the whole time', () => {
  const meter = new SpeedMeter();
  for (let second = 0; second <= 60; second += 1) {
    // 1 MB/s for 40 seconds, then 0.1 MB/s.
    meter.record(second * 1000, Math.min(second, 40) * 1_000_000 + Math.max(0, second - 40) * 100_000);
  }
  expect(meter.bytesPerSecond()).toBe(100_000);
});

it('is never negative when an attempt is repeated', () => {
  const meter = new SpeedMeter();
  meter.record(0, 5_000_000);
  meter.record(3_000, 1_000_000);
  expect(meter.bytesPerSecond()).toBe(0);
});
