// Causes to look at something, told together some time after the first of them: for looks that cost much and events that come in swarms.
import { type Cause, KEPT_CAUSES } from '../core/cause.ts';

export class GatheredCauses {
  readonly #ms: number;
  readonly #tell: (cause: Cause) => void;
  readonly #causes = new Map<string, Cause>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, tell: (cause: Cause) => void) {
    this.#ms = ms;
    this.#tell = tell;
  }

  add(cause: Cause): void {
    if (this.#causes.size < KEPT_CAUSES) this.#causes.set(`${cause.event} ${cause.about}`, cause);
    this.#timer ??= setTimeout(() => {
      const causes = [...this.#causes.values()];
      this.close();
      for (const one of causes) this.#tell(one);
    }, this.#ms);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#causes.clear();
  }
}
