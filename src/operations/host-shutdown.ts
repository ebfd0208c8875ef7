// Stops all running instances because the host goes down: by boot.stop.priority, higher first, those of one priority together; each gets
// its boot.host_shutdown_timeout to end cleanly and is killed then. Before that, the reconciler is told to keep its hands off until the
// host has booted again. Containers are taken from the host, not from what is declared: whatever runs is stopped.
import type { Clock } from '../core/clock.ts';
import { AppError, errorText, toAppError } from '../core/errors.ts';
import type { EventSink } from '../core/events.ts';
import type { ContainerReading, LxcPort } from '../host/ports/lxc.ts';
import type { HostShutdownPort, HostShutdownResult, StoppedInstance } from './operations.ts';

/** How often a group is looked at when no event comes. */
const LOOK_MS = 1000;
/** A container that a kill does not end within this time is left to the kernel. */
const KILL_MS = 30_000;

export interface HostShutdownDeps {
  readonly lxc: Pick<LxcPort, 'list' | 'shutdown' | 'unfreeze' | 'kill' | 'forgetExit' | 'onChange'>;
  readonly clock: Clock;
  readonly events: EventSink;
  /** Turn and patience of a container. */
  stopOf(reading: ContainerReading): { readonly priority: number; readonly timeoutMs: number };
  /** The reconciler stops (true) or takes up again (false) changing the host; resolves when no change is under way. */
  drain(on: boolean): Promise<void>;
  audit(entry: { readonly actor: string; readonly action: string; readonly ref: string; readonly detail: string }): void;
}

interface Target {
  readonly name: string;
  readonly priority: number;
  readonly timeoutMs: number;
  readonly frozen: boolean;
}

const TEXT: Readonly<Record<StoppedInstance['outcome'], string>> = {
  stopped: 'it was shut down',
  killed: 'it did not shut down in time and was killed',
  failed: 'it could not be stopped',
};

export class HostShutdown implements HostShutdownPort {
  readonly #o: HostShutdownDeps;
  #running: { readonly work: Promise<HostShutdownResult>; readonly stop: AbortController } | undefined;

  constructor(deps: HostShutdownDeps) {
    this.#o = deps;
  }

  /** Resolves when nothing runs any more. Asked for twice, it is done once. Throws CANCELLED when it is called off. */
  async start(actor: string): Promise<HostShutdownResult> {
    if (this.#running === undefined) {
      this.#o.audit({ actor, action: 'host-shutdown', ref: '', detail: '' });
      const stop = new AbortController();
      const work = this.#stopAll(stop.signal).finally(() => (this.#running = undefined));
      this.#running = { work, stop };
    }
    return await this.#running.work;
  }

  /** The host stays up after all: what was stopped is started again, as it is declared. Fine when there was no shutdown. */
  async cancel(actor: string): Promise<void> {
    this.#o.audit({ actor, action: 'host-shutdown (cancelled)', ref: '', detail: '' });
    const running = this.#running;
    running?.stop.abort(new AppError('CANCELLED', {}, { message: 'The shutdown of the host was called off.' }));
    await running?.work.catch(() => undefined);
    await this.#o.drain(false);
    this.#tell('info', 'HostStaysUp', 'The shutdown of the host was called off.');
  }

  async #stopAll(signal: AbortSignal): Promise<HostShutdownResult> {
    const { lxc } = this.#o;
    this.#tell('info', 'HostShutdown', 'The host is being shut down: all instances are stopped.');
    await this.#o.drain(true);
    const stopped: StoppedInstance[] = [];
    const tried = new Set<string>();
    for (;;) {
      // Listed anew for each priority: a start that was under way may have ended meanwhile.
      const left = this.#targets(await lxc.list()).filter(({ name }) => !tried.has(name));
      if (left.length === 0) break;
      const turn = Math.max(...left.map(({ priority }) => priority));
      const group = left.filter(({ priority }) => priority === turn);
      for (const { name } of group) tried.add(name);
      stopped.push(...(await Promise.all(group.map((target) => this.#stopOne(target, signal)))));
      signal.throwIfAborted();
    }
    return { instances: stopped };
  }

  #targets(readings: ReadonlyMap<string, ContainerReading>): Target[] {
    return [...readings.values()]
      .filter(isUp)
      .map((reading) => ({ name: reading.name, frozen: reading.power === 'Frozen', ...this.#o.stopOf(reading) }));
  }

  async #stopOne(target: Target, signal: AbortSignal): Promise<StoppedInstance> {
    const { clock, lxc } = this.#o;
    const { name, priority } = target;
    const began = clock.monotonic();
    const ended = (outcome: StoppedInstance['outcome'], error?: string): StoppedInstance => {
      const durationMs = Math.round(clock.monotonic() - began);
      this.#tell(outcome === 'stopped' ? 'info' : 'warning', 'HostShutdown', `Container "${name}": ${TEXT[outcome]}${error ?? ''}.`);
      return { name, priority, outcome, durationMs, ...(error === undefined ? {} : { error }) };
    };
    try {
      const clean = await this.#shutDown(target, signal);
      if (!clean) {
        signal.throwIfAborted();
        await lxc.kill(name, AbortSignal.any([signal, AbortSignal.timeout(KILL_MS)]));
      }
      // It did not end by itself: at the next boot it gets back the power state it had.
      await lxc.forgetExit(name);
      return ended(clean ? 'stopped' : 'killed');
    } catch (error) {
      if (signal.aborted) throw toAppError(signal.reason);
      return ended('failed', `: ${errorText(error)}`);
    }
  }

  /** False: it did not end in time, or could not be asked. */
  async #shutDown({ name, frozen, timeoutMs }: Target, signal: AbortSignal): Promise<boolean> {
    const { clock, lxc } = this.#o;
    const until = clock.monotonic() + timeoutMs;
    if (timeoutMs === 0) return false;
    try {
      // A frozen process gets no signal.
      if (frozen) await lxc.unfreeze(name, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
      await lxc.shutdown(name);
    } catch (error) {
      signal.throwIfAborted();
      // It may have ended just now, or still be starting.
      if (!(error instanceof AppError)) throw error;
    }
    for (;;) {
      using change = nextChange(lxc, name);
      const reading = (await lxc.list()).get(name);
      if (reading === undefined || !isUp(reading)) return true;
      const left = until - clock.monotonic();
      if (left <= 0) return false;
      signal.throwIfAborted();
      await Promise.race([change.promise, clock.sleep(Math.min(left, LOOK_MS), signal)]);
    }
  }

  #tell(severity: 'info' | 'warning', reason: string, message: string): void {
    this.#o.events.emit({ type: 'daemon', severity, reason, message });
  }
}

function isUp({ power, monitorPid }: ContainerReading): boolean {
  return power !== 'Stopped' || monitorPid !== undefined;
}

/** Listens before the caller looks, so that no end falls between the look and the wait. */
function nextChange(lxc: Pick<LxcPort, 'onChange'>, name: string): Disposable & { readonly promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = lxc.onChange((changed) => {
    if (changed === name) resolve();
  });
  return { promise, [Symbol.dispose]: end };
}
