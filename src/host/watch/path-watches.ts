// Watches on paths (inotify), each with its own listener. A watch follows the file, not the path: when what is watched goes away or is
// moved, its watch ends, and whoever cares watches the path again. A path that is not there is not watched; that is no failure.
import { AppError, isErrno } from '../../core/errors.ts';
import { loadNative, type NativeFileWatch } from '../lxc/binding.ts';

/** Called with the name of the entry that changed, or '' when the watch has ended. */
export type EntryListener = (name: string) => void;

interface Watched {
  readonly path: string;
  readonly what: 'directory' | 'file';
  readonly listener: EntryListener;
}

export interface PathWatchesOptions {
  /** The kernel dropped events: anything may have changed. */
  lost(): void;
  /** A path cannot be watched, told once: until the daemon starts again changes there are found by the regular look only. */
  failed(error: AppError): void;
}

export class PathWatches {
  readonly #options: PathWatchesOptions;
  readonly #native: NativeFileWatch;
  readonly #byNumber = new Map<number, Watched>();
  readonly #byPath = new Map<string, number>();
  #told = false;

  constructor(options: PathWatchesOptions) {
    this.#options = options;
    const { FileWatch } = loadNative();
    this.#native = new FileWatch((changes, lost) => this.#changed(changes, lost));
  }

  /** Already watched is fine; the first listener stays. */
  watch(path: string, what: 'directory' | 'file', listener: EntryListener): void {
    if (this.#byPath.has(path)) return;
    let number: number;
    try {
      number = this.#native.add(path, what);
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ENODEV')) return;
      this.#fail(path, error);
      return;
    }
    // The kernel gives one number per file: another path to it was watched before (it has been moved).
    const other = this.#byNumber.get(number);
    if (other !== undefined) this.#byPath.delete(other.path);
    this.#byNumber.set(number, { path, what, listener });
    this.#byPath.set(path, number);
  }

  unwatch(path: string): void {
    const number = this.#byPath.get(path);
    if (number === undefined) return;
    this.#forget(number, path);
    this.#native.remove(number);
  }

  close(): void {
    this.#byNumber.clear();
    this.#byPath.clear();
    this.#native.close();
  }

  #forget(number: number, path: string): void {
    this.#byNumber.delete(number);
    this.#byPath.delete(path);
  }

  #changed(changes: readonly (number | string)[], lost: boolean): void {
    for (let at = 0; at < changes.length; at += 2) {
      const number = changes[at] as number;
      const name = changes[at + 1] as string;
      const watched = this.#byNumber.get(number);
      if (watched === undefined) continue;
      // A watched file tells of itself without a name, and goes on being watched: control files end with their directory.
      if (name === '' && watched.what === 'directory') {
        this.#forget(number, watched.path);
        this.#native.remove(number);
      }
      watched.listener(name);
    }
    if (lost) this.#options.lost();
  }

  #fail(path: string, cause: unknown): void {
    if (this.#told) return;
    this.#told = true;
    // ENOSPC is the limit of watches, not of space (inotify_add_watch(2)).
    const limit = isErrno(cause, 'ENOSPC');
    this.#options.failed(
      new AppError(
        'FEATURE_MISSING',
        { path },
        {
          message: `"${path}" cannot be watched for changes${limit ? ': the limit of inotify watches is reached' : ''}.`,
          hint: `${limit ? 'Raise it: sysctl fs.inotify.max_user_watches=1048576. ' : ''}Until then changes there are found by the regular look at everything.`,
          cause,
        },
      ),
    );
  }
}
