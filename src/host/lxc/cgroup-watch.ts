// Control files of running containers that another program writes to: limits, and the freezer. A write through a path of cgroupfs is told
// by inotify on v1 and v2 alike (vfs_write, fs/read_write.c); what the kernel changes by itself is not. Files are watched when they are
// first read, so that what is compared is what is watched; a guest may not write to any of them.
import type { AppError } from '../../core/errors.ts';
import { PathWatches } from '../watch/path-watches.ts';

export class CgroupWatch {
  readonly #watches: PathWatches;
  readonly #changed: (name: string) => void;
  readonly #paths = new Map<string, Set<string>>();

  constructor(options: { changed(name: string): void; lost(): void; failed(error: AppError): void }) {
    this.#changed = (name) => options.changed(name);
    this.#watches = new PathWatches(options);
  }

  watch(name: string, paths: readonly (string | undefined)[]): void {
    let known = this.#paths.get(name);
    if (known === undefined) this.#paths.set(name, (known = new Set()));
    for (const path of paths) {
      if (path === undefined || known.has(path)) continue;
      known.add(path);
      this.#watches.watch(path, 'file', () => this.#changed(name));
    }
  }

  /** Its control groups are gone, or made anew. */
  forget(name: string): void {
    for (const path of this.#paths.get(name) ?? []) this.#watches.unwatch(path);
    this.#paths.delete(name);
  }

  close(): void {
    this.#watches.close();
  }
}
