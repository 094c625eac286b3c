import { expect, it } from 'vitest';
import { BufferBudget, type BufferHolder } from './buffer-budget.js';

/** Holds what it is given until it is told to send it; arrivals are reported by the test. */
class Holder implements BufferHolder {
  held = 0;
  sent = 0;
  private readonly budget: BufferBudget;

  constructor(budget: BufferBudget) {
    this.budget = budget;
  }

  take(bytes: number): boolean {
    if (!this.budget.take(this, bytes)) return false;
    this.held += bytes;
    this.budget.relieve();
    return true;
  }

  spill(): void {
    this.budget.sent(this.held);
    this.sent += this.held;
    this.held = 0;
  }
}

it('sends what the holder of most bytes has once half of the room is held', () => {
  const budget = new BufferBudget(100);
  const [few, many] = [new Holder(budget), new Holder(budget)];
  expect([few.take(20), many.take(30)]).toEqual([true, true]);
  expect([few.sent, many.sent]).toEqual([0, 0]);
  expect(few.take(5)).toBe(true);
  expect([few.sent, many.sent]).toEqual([0, 30]);
});

it('has no room beyond its limit until bytes have arrived', async () => {
  const budget = new BufferBudget(100);
  const holder = new Holder(budget);
  expect([holder.take(90), holder.take(20)]).toEqual([true, false]);
  let waited = false;
  const room = budget.room().then(() => {
    waited = true;
  });
  await Promise.resolve();
  expect(waited).toBe(false);
  budget.arrived(90);
  await room;
  expect(holder.take(20)).toBe(true);
});

it('sends what is held when nothing on its way would make room', async () => {
  const budget = new BufferBudget(100);
  const [first, second] = [new Holder(budget), new Holder(budget)];
  expect([first.take(40), second.take(80)]).toEqual([true, false]);
  const room = budget.room();
  expect(first.sent).toBe(40);
  budget.arrived(40);
  await room;
  expect(second.take(80)).toBe(true);
});

it('takes more than its limit when there is nothing else', () => {
  const holder = new Holder(new BufferBudget(100));
  expect([holder.take(500), holder.take(1)]).toEqual([true, false]);
});

it('tells those who wait why the storage does not take the bytes', async () => {
  const budget = new BufferBudget(100);
  expect(new Holder(budget).take(100)).toBe(true);
  const room = budget.room();
  budget.failed(100, new Error('away'));
  await expect(room).rejects.toThrow('away');
});

it('counts no longer what was dropped', async () => {
  const budget = new BufferBudget(100);
  const holder = new Holder(budget);
  holder.take(50);
  budget.give(50);
  holder.held = 0;
  budget.forget(holder);
  expect(new Holder(budget).take(100)).toBe(true);
});
