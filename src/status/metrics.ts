// What is counted and measured, for Prometheus. Callers use plain methods; prom-client (a tenth of a second to import) is loaded at the
// first scrape, or when much has been counted before one.
import { DELAY_INTERVAL_MS, LoopDelay } from './loop-delay.ts';
import type { Prometheus } from './prometheus.ts';

export interface ObjectCount {
  readonly kind: string;
  readonly condition: string;
  readonly status: string;
  readonly count: number;
}

export interface SourceReading {
  readonly name: string;
  /** Epoch ms of the last successful look. */
  readonly lastRead: number | undefined;
  /** Epoch ms since when its revision is in force. */
  readonly since: number | undefined;
  /** It cannot be read as it is now. */
  readonly failing: boolean;
  readonly problems: number;
  readonly objects: number;
}

/** Read at each scrape; nothing of it is kept. */
export interface MetricsReading {
  readonly objects: readonly ObjectCount[];
  readonly sources: readonly SourceReading[];
  readonly queues: readonly { readonly name: string; readonly running: number; readonly waiting: number }[];
  readonly confirmations: number;
  readonly auditEntries: number;
  /** Undefined where there is no file. */
  readonly ledgerBytes?: number | undefined;
}

export interface MetricsOptions {
  readonly version: string;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly read: () => MetricsReading;
}

/** Observations kept as they are until prom-client is there. */
const MAX_WAITING = 500;

export class Metrics {
  readonly #options: MetricsOptions;
  /** During rounds only: it wakes the process 50 times a second. */
  readonly #delay = new LoopDelay();
  #waiting: ((prometheus: Prometheus) => void)[] = [];
  #prometheus: Prometheus | undefined;
  #loading: Promise<Prometheus> | undefined;
  #rounds = 0;

  constructor(options: MetricsOptions) {
    this.#options = options;
  }

  /** Call the returned function once at the round's end: how many changes it planned. */
  roundBegan(): (planned: number) => void {
    const began = performance.now();
    if (this.#rounds++ === 0) this.#delay.begin();
    return (planned) => {
      if (--this.#rounds === 0) this.#delay.end();
      const seconds = (performance.now() - began) / 1000;
      this.#record((prometheus) => prometheus.round(seconds, planned));
    };
  }

  /** One change was carried out. `outcome`: `done`, `waiting`, or an error code. */
  changeEnded(kind: string, change: string, outcome: string, seconds: number): void {
    this.#record((prometheus) => prometheus.change(kind, change, outcome, seconds));
  }

  /** An object that had drifted is as declared again, so long after that was seen. */
  driftEnded(kind: string, seconds: number): void {
    this.#record((prometheus) => prometheus.driftEnded(kind, seconds));
  }

  /** Text in Prometheus' exposition format. */
  async text(): Promise<string> {
    const prometheus = await this.#load();
    return await prometheus.text(this.#options.read(), await loopLag());
  }

  /** Stops the timer of an unfinished round. */
  close(): void {
    this.#delay.end();
  }

  #record(record: (prometheus: Prometheus) => void): void {
    if (this.#prometheus) return record(this.#prometheus);
    this.#waiting.push(record);
    if (this.#waiting.length >= MAX_WAITING) void this.#load();
  }

  async #load(): Promise<Prometheus> {
    this.#loading ??= (async () => {
      const { Prometheus } = await import('./prometheus.ts');
      const loaded = new Prometheus(this.#options, this.#delay.histogram, DELAY_INTERVAL_MS);
      for (const record of this.#waiting) record(loaded);
      this.#waiting = [];
      this.#prometheus = loaded;
      return loaded;
    })();
    return await this.#loading;
  }
}

/** Seconds that the event loop takes to come round now. */
async function loopLag(): Promise<number> {
  const asked = performance.now();
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await promise;
  return (performance.now() - asked) / 1000;
}
