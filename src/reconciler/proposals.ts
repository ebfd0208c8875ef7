// Values that objects of one plan get: they are taken for the rest of the plan, as those that others have already are.
import type { Facts } from '../kinds/kind.ts';

export class Proposals {
  readonly #facts: Pick<Facts, 'taken'>;
  /** By scope, once somebody has asked: what others have, and what was proposed. */
  readonly #taken = new Map<string, Set<string>>();
  readonly #proposed = new Map<string, string[]>();
  readonly #candidates = new Map<string, Iterator<string>>();

  constructor(facts: Pick<Facts, 'taken'>) {
    this.#facts = facts;
  }

  taken(scope: string): ReadonlySet<string> {
    let taken = this.#taken.get(scope);
    if (taken === undefined) {
      taken = new Set([...this.#facts.taken(scope), ...(this.#proposed.get(scope) ?? [])]);
      this.#taken.set(scope, taken);
    }
    return taken;
  }

  /** Goes on where the last call ended: what was taken then is taken still. */
  free(scope: string, candidates: () => Iterable<string>): string | undefined {
    const taken = this.taken(scope);
    let next = this.#candidates.get(scope);
    if (next === undefined) {
      next = candidates()[Symbol.iterator]();
      this.#candidates.set(scope, next);
    }
    for (;;) {
      const { done, value } = next.next();
      if (done === true) return undefined;
      if (!taken.has(value)) return value;
    }
  }

  /** `hwaddr:eth0` is unique among all of `hwaddr`. */
  add(what: string, value: string): void {
    const scope = what.split(':', 1)[0]!;
    const values = this.#proposed.get(scope);
    if (values === undefined) this.#proposed.set(scope, [value]);
    else values.push(value);
    this.#taken.get(scope)?.add(value);
  }
}
