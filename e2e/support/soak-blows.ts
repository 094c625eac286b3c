import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../sandbox/src/faults/fault.js';
import type { TestSandbox } from '../../sandbox/src/testing/sandbox-client.js';
import type { Orthanc } from './orthanc.js';
import type { RecordingProxy } from './recording-proxy.js';
import type { Redis } from './redis.js';
import type { ServiceProcess } from './service-process.js';
import type { Stack } from './stack.js';
import type { MadeStudy } from './studies.js';

export interface Struck {
  orthanc: Orthanc;
  proxy: RecordingProxy;
  sandbox: TestSandbox;
  redis: Redis;
  stack: Stack;
  workers: readonly ServiceProcess[];
  /** Studies sent so far that go to the sandbox, all of each at once. */
  sentWholeToSandbox(): MadeStudy[];
}

/**
 * What the sandbox does wrong for a while; each befalls some of its requests. All of it passes without a person: what
 * refuses an image for good, as 413 does, is no part of it.
 */
const FAULTS: ReadonlyArray<Partial<Fault>> = [
  { kind: 'refuse', on: 'any' },
  { kind: 'slow', on: 'any', delayMs: 200 },
  { kind: 'hang', on: 'stow' },
  { kind: 'hang', on: 'qido' },
  { kind: 'dropMidBody', on: 'stow', afterBytes: 5000 },
  { kind: 'dropMidBody', on: 'qido', afterBytes: 10 },
  { kind: 'dropMidBody', on: 'wado', afterBytes: 100 },
  { kind: 'status', on: 'any', status: 503 },
  { kind: 'status', on: 'any', status: 429, retryAfterSeconds: 1 },
  { kind: 'status', on: 'stow', status: 500 },
  { kind: 'status', on: 'stow', status: 507 },
  { kind: 'status', on: 'stow', status: 401, early: true },
  { kind: 'status', on: 'stow', status: 403 },
  { kind: 'storedButAnswerLost', on: 'stow' },
  { kind: 'storesButHides', on: 'stow', seconds: 2 },
  { kind: 'forgets', on: 'stow', every: 2, times: 3, chance: 1 },
  { kind: 'inventedUids', on: 'stow', times: 1, chance: 1 },
  { kind: 'partialFailure', on: 'stow', every: 5 },
];

/** Blows at a system under load: at its workers, at what it leans on and at its PACS, so that several may fall at once. */
export class Blows {
  /** How often each was struck. */
  readonly struck = new Map<string, number>();
  /** How many requests each fault of the sandbox has befallen. */
  readonly befallen = new Map<string, number>();
  private readonly under: Struck;
  private readonly below: (limit: number) => number;
  private deck: Array<Partial<Fault>> = [];
  private faults: Array<Partial<Fault>> = [];

  /** @param below - random whole numbers */
  constructor(under: Struck, below: (limit: number) => number) {
    this.under = under;
    this.below = below;
  }

  /** Strikes while it `goesOn`; all is repaired in the end. */
  async strikeWhile(goesOn: () => boolean): Promise<void> {
    const lane = async (strike: () => Promise<void>, leastPauseMs: number, spreadMs: number) => {
      while (goesOn()) {
        await strike();
        await sleep(leastPauseMs + this.below(spreadMs));
      }
    };
    await Promise.all([
      lane(() => this.strikeWorker(), 2000, 5000),
      lane(() => this.strikeService(), 500, 3500),
      lane(() => this.strikeSandbox(), 0, 500),
    ]);
  }

  private count(blow: string): void {
    this.struck.set(blow, (this.struck.get(blow) ?? 0) + 1);
  }

  private async strikeWorker(): Promise<void> {
    const { workers } = this.under;
    const worker = workers[this.below(workers.length)];
    this.count('worker killed');
    await worker?.kill();
    await sleep(this.below(2000));
    // As a supervisor does: what it needs may be away as well.
    for (;;) {
      try {
        await worker?.start();
        return;
      } catch {
        this.count('worker ended at its start');
        await worker?.kill();
        await sleep(500);
      }
    }
  }

  private async strikeService(): Promise<void> {
    const { orthanc, proxy, redis, stack } = this.under;
    const blow = this.below(100);
    if (blow < 30) {
      this.count('Orthanc killed');
      await orthanc.kill();
      await sleep(500 + this.below(2500));
      await orthanc.start();
    } else if (blow < 55) {
      this.count('connections to Orthanc cut');
      proxy.cut();
    } else if (blow < 70) {
      this.count('Redis flushed');
      await redis.flush();
    } else if (blow < 85) {
      this.count('Redis killed');
      await redis.kill();
      await sleep(this.below(3000));
      await redis.start();
    } else {
      this.count('PostgreSQL killed');
      const { pid } = stack.postgres;
      process.kill(pid, 'SIGKILL');
      // It comes back by itself.
      while (stack.postgres.pid === pid) await sleep(100);
    }
  }

  /** Each fault in its turn, in an order that chance makes. */
  private async strikeSandbox(): Promise<void> {
    const { sandbox } = this.under;
    if (this.deck.length === 0) this.deck = [...FAULTS];
    const [fault] = this.deck.splice(this.below(this.deck.length), 1);
    this.faults =
      fault?.kind === 'inventedUids'
        ? (await this.firstOfUnsent()).map((uid) => ({ ...fault, sopInstanceUids: [uid] }))
        : [{ chance: 0.7, seed: this.below(1000), ...fault }];
    await sandbox.putFaults(...this.faults);
    await within(4000, async () => (await sandbox.fired()).some((fired) => fired > 0));
    await sleep(this.below(1000));
    await this.endFaults();
    // It is found working again, so that the next one befalls a PACS that is in use.
    const { stored = 0 } = (await sandbox.statistics()).instances;
    await within(8000, async () => ((await sandbox.statistics()).instances.stored ?? 0) > stored);
  }

  /**
   * The first images of studies that have several, of which the sandbox has none yet: alone in its request, an image
   * that fails under another name is refused for good.
   */
  private async firstOfUnsent(): Promise<string[]> {
    const found = new Set(await this.under.sandbox.found());
    const unsent = this.under
      .sentWholeToSandbox()
      .filter(({ digests }) => digests.size > 1 && [...digests.keys()].every((uid) => !found.has(uid)));
    return unsent.slice(0, 8).flatMap(({ digests }) => [...digests.keys()].slice(0, 1));
  }

  private async endFaults(): Promise<void> {
    const { sandbox } = this.under;
    for (const [index, fired] of (await sandbox.fired()).entries()) {
      const { kind, on, status } = this.faults[index] ?? {};
      const name = [kind, on, status].filter((part) => part !== undefined).join(' ');
      this.befallen.set(name, (this.befallen.get(name) ?? 0) + fired);
    }
    this.faults = [];
    await sandbox.deleteFaults();
  }
}

/** Waits until it holds, or for so long. */
async function within(ms: number, holds: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + ms;
  while (Date.now() < until && !(await holds())) await sleep(50);
}
