// Carries out the steps of one object's plan: one change after another, each in a slot of the right queue, each effect a step with a
// boundary before and after it. What failed, waits or was overtaken is told to the loop, which looks at the object again.
import PQueue from 'p-queue';
import type { Clock } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import { refText } from '../core/ref.ts';
import type { Host } from '../host/ports/host.ts';
import type { ApplyRun } from '../kinds/changes.ts';
import type { Observed } from '../kinds/kind.ts';
import type { Boundary } from './fault.ts';
import type { AnyChange, ObjectPlan } from './plan.ts';

const DEFAULT_DEADLINE_MS = 120_000;
/** A look older than this is taken again before a change is applied. */
const FRESH_MS = 2000;
/** How long an applier may take to obey its signal before its slot is taken from it. */
const GRACE_MS = 5000;

export type StepOutcome =
  | { readonly is: 'done' }
  | { readonly is: 'waiting'; readonly reason: string; readonly deadlineMs: number }
  /** The change made no sense any more. */
  | { readonly is: 'dropped' }
  /** A newer revision of this object is desired. */
  | { readonly is: 'superseded' }
  /** `until`: the applier did not obey its signal; the object must not be worked on before this resolves. */
  | { readonly is: 'failed'; readonly error: AppError; readonly until?: Promise<void> };

export interface RunHooks {
  superseded(): boolean;
  observe(): Promise<Observed<unknown>>;
  /** The steps were planned from a look at this time (monotonic ms). */
  readonly observedAt: number;
  progress(text: string, fraction?: number): void;
  /** This step is about to be carried out. False: it makes no sense any more. */
  begins(index: number): boolean;
  ended(index: number, outcome: StepOutcome): void;
}

/** Ends a run between two steps when a newer revision is there; never leaves the engine. */
class Superseded extends Error {}

export interface ExecutorOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly boundary: Boundary;
  /** Width of the queue for work. */
  readonly workWidth: number;
  /** Width of the queue for starts: they wait on the kernel, but beyond 2 + 4 x cores only latency grows. */
  readonly startWidth: number;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #work: PQueue;
  readonly #starts: PQueue;
  readonly #stop = new AbortController();

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#work = new PQueue({ concurrency: options.workWidth });
    this.#starts = new PQueue({ concurrency: options.startWidth });
  }

  /** A place between two effects that is no step's: the ledger's writes. */
  boundary(where: string): void {
    this.#options.boundary(where);
  }

  queues(): { name: string; running: number; waiting: number }[] {
    return [
      { name: 'work', running: this.#work.pending, waiting: this.#work.size },
      { name: 'start', running: this.#starts.pending, waiting: this.#starts.size },
    ];
  }

  /** Runs all steps in order; stops at the first that is not done. */
  async run(plan: ObjectPlan, hooks: RunHooks): Promise<StepOutcome> {
    let outcome: StepOutcome = { is: 'done' };
    let observedAt = hooks.observedAt;
    for (const [index, { change }] of plan.steps.entries()) {
      const { verdict, summary } = plan.kind.describe(change, plan.desired?.document.origin);
      const queue = verdict === 'power' ? this.#starts : this.#work;
      outcome = await queue.add(async (): Promise<StepOutcome> => {
        if (this.#stop.signal.aborted) return { is: 'superseded' };
        if (hooks.superseded()) return { is: 'superseded' };
        if (this.#options.clock.monotonic() - observedAt > FRESH_MS) {
          const now = await hooks.observe();
          observedAt = this.#options.clock.monotonic();
          if (!plan.kind.holds(change, now)) return { is: 'dropped' };
        }
        if (!hooks.begins(index)) return { is: 'dropped' };
        hooks.progress(summary);
        return this.#apply(plan, change, hooks);
      });
      observedAt = this.#options.clock.monotonic();
      hooks.ended(index, outcome);
      if (outcome.is !== 'done') break;
    }
    return outcome;
  }

  /** Running steps are asked to end at their next boundary; resolves when all have. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#work.clear();
    this.#starts.clear();
    await Promise.all([this.#work.onIdle(), this.#starts.onIdle()]);
  }

  async #apply(plan: ObjectPlan, change: AnyChange, hooks: RunHooks): Promise<StepOutcome> {
    const { host, boundary } = this.#options;
    const deadlineMs = plan.kind.deadlineMs?.(change) ?? DEFAULT_DEADLINE_MS;
    const what = `${refText(plan.ref)}: ${change.do}`;
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([deadline, this.#stop.signal]);
    const run: ApplyRun = {
      signal,
      step: async (name, work) => {
        if (this.#stop.signal.aborted || hooks.superseded()) throw new Superseded();
        signal.throwIfAborted();
        boundary(`${what}: before ${name}`);
        const result = await work();
        boundary(`${what}: after ${name}`);
        return result;
      },
      progress: (text, fraction) => hooks.progress(text, fraction),
    };
    const work = plan.kind.apply(host, plan.ref, change, run);
    let ended = false;
    const until = work.then(
      () => void (ended = true),
      () => void (ended = true),
    );
    try {
      const outcome = await withDeadline(work, deadline, what, deadlineMs);
      if (outcome === 'done') return { is: 'done' };
      return { is: 'waiting', reason: outcome.waiting, deadlineMs: outcome.deadlineMs };
    } catch (error) {
      if (error instanceof Superseded || this.#stop.signal.aborted) return { is: 'superseded' };
      if (deadline.aborted) {
        const failure = error instanceof AppError && error.code === 'TIMED_OUT' ? error : timedOut(what, deadlineMs, error);
        return { is: 'failed', error: failure, ...(ended ? {} : { until }) };
      }
      return { is: 'failed', error: toAppError(error) };
    }
  }
}

/** An applier that does not obey its signal loses its slot after a grace time; the object stays locked until it ends by itself. */
async function withDeadline<T>(work: Promise<T>, deadline: AbortSignal, what: string, deadlineMs: number): Promise<T> {
  const overdue = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => overdue.reject(timedOut(what, deadlineMs)), GRACE_MS);
  };
  deadline.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, overdue.promise]);
  } finally {
    deadline.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  }
}

function timedOut(what: string, deadlineMs: number, cause?: unknown): AppError {
  return new AppError(
    'TIMED_OUT',
    { what, seconds: deadlineMs / 1000 },
    { message: `${what} did not end within ${deadlineMs / 1000} s.`, cause },
  );
}
