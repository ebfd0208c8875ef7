// Small files that are asked for in one turn of the event loop, read together on one thread of the addon.
import { loadNative } from './binding.ts';

interface Batch {
  readonly paths: string[];
  readonly texts: Promise<(string | undefined)[]>;
}

export class ReadBatch {
  #next: Batch | undefined;

  /** Contents in the order of `paths`; undefined when missing. Another's unreadable file fails nobody else. */
  async read(paths: readonly string[]): Promise<(string | undefined)[]> {
    this.#next ??= this.#begin();
    const first = this.#next.paths.push(...paths) - paths.length;
    let texts: (string | undefined)[];
    try {
      texts = await this.#next.texts;
    } catch {
      return await loadNative().readMany(paths);
    }
    return texts.slice(first, first + paths.length);
  }

  #begin(): Batch {
    const paths: string[] = [];
    const texts = new Promise((resolve) => setImmediate(resolve)).then(() => {
      this.#next = undefined;
      return loadNative().readMany(paths);
    });
    return { paths, texts };
  }
}
