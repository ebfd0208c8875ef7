// Refused requests in the audit log: who tried what, and why it was not done. Whoever may ask may ask without end, so what is written is bounded: in
// an hour the first of so many different ones at once, at its end how often they came again and how many others there were.
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, ERRORS, errorText } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type NewAuditEntry, requestEntry } from './audit-entries.ts';

export interface Refusal {
  /** `uid:1000`, `address:192.0.2.7`. */
  readonly actor: string;
  /** What was asked for, in words. */
  readonly request: string;
  /** The object (its key) or `source:NAME` it was about; '' when it names none. */
  readonly ref: string;
  readonly code: ErrorCode;
}

export interface RefusalsOptions {
  readonly add: (entry: NewAuditEntry) => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly windowMs?: number;
}

const WINDOW_MS = 3_600_000;
/** With the counts at the end of the hour: at most 41 entries in an hour, 20 KiB. */
const DIFFERENT = 20;

export class Refusals {
  readonly #o: RefusalsOptions;
  readonly #seen = new Map<string, { readonly refusal: Refusal; again: number }>();
  #others = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RefusalsOptions) {
    this.#o = options;
  }

  note(refusal: Refusal): void {
    this.#timer ??= setTimeout(() => this.flush(), this.#o.windowMs ?? WINDOW_MS).unref();
    const { actor, request, ref, code } = refusal;
    const key = JSON.stringify([actor, request, ref, code]);
    const known = this.#seen.get(key);
    if (known !== undefined) {
      known.again++;
    } else if (this.#seen.size < DIFFERENT) {
      this.#seen.set(key, { refusal, again: 0 });
      this.#write(refusal, `${request} was refused: ${ERRORS[code].text}`);
    } else {
      this.#others++;
    }
  }

  /** Ends the hour: writes what was only counted. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { refusal, again } of this.#seen.values()) {
      if (again > 0)
        this.#write(refusal, `${refusal.request} was refused ${again === 1 ? 'once more' : `${again} more times`} within the hour`);
    }
    if (this.#others > 0) {
      const summary = `${this.#others} other requests were refused within the hour, after ${DIFFERENT} different ones`;
      this.#write({ actor: 'several', request: '', ref: '', code: 'TOO_MANY_REQUESTS' }, summary);
    }
    this.#seen.clear();
    this.#others = 0;
  }

  /** The answer to the request does not depend on it. */
  #write({ actor, ref, code }: Refusal, summary: string): void {
    try {
      this.#o.add(requestEntry({ at: this.#o.clock.now(), actor, action: 'refused', ref }, { summary, outcome: code }));
    } catch (error) {
      this.#o.log.warn({ actor, ref, code, error: errorText(error) }, 'a refused request could not be written to the audit log');
    }
  }
}
