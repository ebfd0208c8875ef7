// Questions about single objects that come in one turn of the event loop, asked of the host together: a round that looks at one object
// costs one reading of one, and a round that looks at a thousand still costs one reading.

interface Asking<Answer> {
  readonly names: Set<string>;
  readonly answers: Promise<ReadonlyMap<string, Answer>>;
}

export class Gather<Answer> {
  readonly #ask: (names: readonly string[]) => Promise<ReadonlyMap<string, Answer>>;
  #next: Asking<Answer> | undefined;

  /** `ask` answers for all names; one that is missing in its answer is not there. */
  constructor(ask: (names: readonly string[]) => Promise<ReadonlyMap<string, Answer>>) {
    this.#ask = ask;
  }

  /** When the joint question fails, it has failed for each. */
  async get(name: string): Promise<Answer | undefined> {
    this.#next ??= this.#begin();
    this.#next.names.add(name);
    return (await this.#next.answers).get(name);
  }

  #begin(): Asking<Answer> {
    const names = new Set<string>();
    const answers = new Promise((resolve) => setImmediate(resolve)).then(() => {
      this.#next = undefined;
      return this.#ask([...names]);
    });
    return { names, answers };
  }
}
