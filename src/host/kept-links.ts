// The host's links without a listing of all at every look: where events tell which of them have changed, only these are read again. A
// listing costs the more the more links there are: with 500 running instances as much as all the rest of the work for one event.
import type { LinksReading, NetworkPort } from './ports/network.ts';

/** Where more have changed, listing all costs less. */
const MANY = 64;

export class KeptLinks {
  readonly #network: Pick<NetworkPort, 'links' | 'someLinks' | 'presentLinks'>;
  #followed = false;
  /** Undefined: all are listed next. */
  #last: LinksReading | undefined;
  /** Of links that have changed since `#last` was begun. */
  #changed = new Set<string>();
  /** Readings are numbered by their beginning: one that was overtaken is not kept. */
  #begun = 0;
  #kept = 0;
  #underWay = 0;

  constructor(network: Pick<NetworkPort, 'links' | 'someLinks' | 'presentLinks'>) {
    this.#network = network;
  }

  /** From now on every change is told with `changed`. */
  follow(): void {
    this.#followed = true;
    this.forget();
  }

  /** '': any of them. */
  changed(link: string): void {
    if (link === '') this.forget();
    else this.#changed.add(link);
  }

  /** What is read from now on owes nothing to events. */
  forget(): void {
    this.#last = undefined;
    this.#kept = ++this.#begun;
  }

  async read(): Promise<LinksReading> {
    const begun = ++this.#begun;
    const changed = this.#changed;
    this.#changed = new Set();
    // One that is under way has taken changes with it that `#last` does not show yet.
    const base = this.#followed && this.#underWay === 0 && changed.size <= MANY ? this.#last : undefined;
    this.#underWay++;
    let reading: LinksReading | undefined;
    try {
      reading = (base && (await this.#patched(base, changed))) ?? (await this.#network.links());
      return reading;
    } finally {
      this.#underWay--;
      if (begun > this.#kept) {
        this.#kept = begun;
        this.#last = reading;
      }
    }
  }

  /** Undefined: it takes a listing of all. */
  async #patched(base: LinksReading, changed: ReadonlySet<string>): Promise<LinksReading | undefined> {
    if (changed.size === 0) return base;
    const found = await this.#network.someLinks([...changed]);
    const links = new Map(base.links);
    for (const name of changed) links.delete(name);
    // A rename is told with the new name only. Where that came, went, or is another link's now, one that is known may have been renamed to it.
    const isAnother = (name: string): boolean => {
      const before = base.links.get(name)?.index;
      return before === undefined || before !== found.get(name)?.index;
    };
    if ([...changed].some(isAnother) && !(await this.#areThere([...links.keys()]))) return undefined;
    const names = new Map([...base.links.values()].map(({ index, name }) => [index, name]));
    for (const [name, link] of found) {
      // It was renamed, which is told with its new name only; its ports say its name, too.
      if ((names.get(link.index) ?? name) !== name) return undefined;
      links.set(name, link);
    }
    return { ...base, links };
  }

  async #areThere(names: readonly string[]): Promise<boolean> {
    return (await this.#network.presentLinks(names)).size === names.length;
  }
}
