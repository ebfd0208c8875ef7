// Absence is believed when two say so: what a reading lacks is looked for by name, in another way than the reading was made. While the two
// do not agree, the family cannot be read, and its objects are unknown. It costs nothing as long as nothing is missing.
import { AppError } from '../core/errors.ts';

/** Those of these names that are there. */
type Find = (names: readonly string[]) => Promise<ReadonlySet<string>>;

type Read<Answer> = (names: readonly string[]) => Promise<ReadonlyMap<string, Answer>>;

/** For readings by name. */
export class NamedLook {
  readonly #what: string;
  readonly #find: Find;

  /** `what`: a plural noun for the message. */
  constructor(what: string, find: Find) {
    this.#what = what;
    this.#find = find;
  }

  /** A reading of some: all that it lacks is looked for. */
  async some<Answer>(names: readonly string[], read: Read<Answer>): Promise<ReadonlyMap<string, Answer>> {
    return await this.agreed(
      () => read(names),
      (answers) => answers,
      () => names,
    );
  }

  protected async agreed<Reading>(
    read: () => Promise<Reading>,
    namesIn: (reading: Reading) => ReadonlyMap<string, unknown>,
    expected: () => readonly string[],
  ): Promise<Reading> {
    const first = await read();
    if ((await this.#overlooked(namesIn(first), expected())) === undefined) return first;
    // It may have come between the two looks.
    const second = await read();
    const name = await this.#overlooked(namesIn(second), expected());
    if (name === undefined) return second;
    throw new AppError(
      'HOST_UNREADABLE',
      { what: this.#what, name },
      { message: `The listing of ${this.#what} lacks "${name}", which is there.` },
    );
  }

  async #overlooked(found: ReadonlyMap<string, unknown>, expected: readonly string[]): Promise<string | undefined> {
    const missing = expected.filter((name) => !found.has(name));
    if (missing.length === 0) return undefined;
    const there = await this.#find(missing);
    return missing.find((name) => there.has(name));
  }
}

/** For listings of everything, and readings by name beside them. */
export class SecondLook extends NamedLook {
  /** Names in the last reading of all, and in those of some since. */
  #seen = new Set<string>();

  /** A reading of everything: what an earlier one held is looked for. */
  async all<Reading>(read: () => Promise<Reading>, namesIn: (reading: Reading) => ReadonlyMap<string, unknown>): Promise<Reading> {
    const reading = await this.agreed(read, namesIn, () => [...this.#seen]);
    this.#seen = new Set(namesIn(reading).keys());
    return reading;
  }

  override async some<Answer>(names: readonly string[], read: Read<Answer>): Promise<ReadonlyMap<string, Answer>> {
    const reading = await super.some(names, read);
    for (const name of reading.keys()) this.#seen.add(name);
    return reading;
  }
}
