// Which entries of a commit's tree are manifests: the same choice as for a directory, made from a listing. What cannot be used is named with
// the reason instead of being left out, because a file that is missing from a snapshot means that its objects are to be deleted. Pure.
import { type IgnoreRule, isIgnored, parseIgnore } from '../ignore.ts';
import { IGNORE_FILE, isManifestName, MAX_IGNORE_BYTES, type WalkLimits } from '../manifest-file.ts';

export interface TreeEntry {
  readonly kind: 'file' | 'symlink' | 'submodule';
  readonly id: string;
  readonly sizeBytes: number;
  /** Relative to the source's directory, with `/`. */
  readonly path: string;
  /** False: the path's bytes are not UTF-8, and `path` only shows them. */
  readonly readable: boolean;
}

/** A manifest to be read (`id`), or one that cannot be (`error`). */
export interface TreeManifest {
  readonly path: string;
  readonly id: string;
  readonly sizeBytes: number;
  readonly error: string | undefined;
}

/** The output of `git ls-tree -r -z -l`: `MODE TYPE ID SIZE<tab>PATH<nul>`. Throws on anything else. */
export function parseTree(bytes: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const tab = bytes.indexOf(9, at);
    if (end < 0 || tab < 0 || tab > end) throw new Error('git ls-tree wrote something unexpected.');
    const [mode = '', , id = '', size = ''] = bytes.toString('latin1', at, tab).split(/ +/);
    const raw = bytes.subarray(tab + 1, end);
    const path = raw.toString('utf8');
    const kind = mode === '120000' ? 'symlink' : mode === '160000' ? 'submodule' : 'file';
    entries.push({ kind, id, sizeBytes: size === '-' ? 0 : Number(size), path, readable: Buffer.from(path).equals(raw) });
    at = end + 1;
  }
  return entries;
}

/** The ignore files that may count. */
export function ignoreFiles(entries: readonly TreeEntry[]): TreeEntry[] {
  return entries.filter((entry) => {
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    return name === IGNORE_FILE && !isHidden(parentOf(entry.path));
  });
}

/** `ignoreTexts`: by path; undefined where one could not be read as text. */
export function manifestsIn(
  entries: readonly TreeEntry[],
  ignoreTexts: ReadonlyMap<string, string | undefined>,
  limits: WalkLimits,
): TreeManifest[] {
  const found: TreeManifest[] = [];
  const rules = new IgnoreRules(ignoreTexts, (path, error) => found.push({ path, id: '', sizeBytes: 0, error }));
  let files = 0;
  let bytes = 0;
  for (const entry of entries) {
    if (isHidden(entry.path)) continue;
    const isDirectory = entry.kind === 'submodule';
    if (!isDirectory && !isManifestName(entry.path)) continue;
    if (rules.ignores(entry.path, isDirectory)) continue;
    const add = (error: string | undefined): void => void found.push({ path: entry.path, id: entry.id, sizeBytes: entry.sizeBytes, error });
    if (entry.kind === 'submodule') add('is a submodule, which is not followed; name it in .lockstepignore if it holds no manifests');
    else if (entry.kind === 'symlink') add('is a symbolic link, which is not followed in a git source');
    else if (!entry.readable) add('has a name that is not UTF-8');
    else if (entry.path.split('/').length - 1 > limits.depth) add(`lies deeper than ${limits.depth} directories`);
    else if (++files > limits.files) add(`is one of more than ${limits.files} files`);
    else if (entry.sizeBytes > limits.fileBytes) add(`is larger than ${limits.fileBytes} bytes`);
    else if ((bytes += entry.sizeBytes) > limits.totalBytes) add(`is beyond ${limits.totalBytes} bytes of manifests in all`);
    else add(undefined);
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The rules that hold in a directory, and which directories are ignored as a whole; each asked once. */
class IgnoreRules {
  readonly #texts: ReadonlyMap<string, string | undefined>;
  readonly #refuse: (path: string, error: string) => void;
  readonly #byDirectory = new Map<string, readonly IgnoreRule[] | 'ignored'>();

  constructor(texts: ReadonlyMap<string, string | undefined>, refuse: (path: string, error: string) => void) {
    this.#texts = texts;
    this.#refuse = refuse;
  }

  ignores(path: string, isDirectory: boolean): boolean {
    const rules = this.#of(parentOf(path));
    return rules === 'ignored' || isIgnored(rules, path, isDirectory);
  }

  #of(directory: string): readonly IgnoreRule[] | 'ignored' {
    const known = this.#byDirectory.get(directory);
    if (known !== undefined) return known;
    const rules = this.#read(directory);
    this.#byDirectory.set(directory, rules);
    return rules;
  }

  #read(directory: string): readonly IgnoreRule[] | 'ignored' {
    const above = directory === '' ? [] : this.#of(parentOf(directory));
    if (above === 'ignored' || isIgnored(above, directory, true)) return 'ignored';
    const path = directory === '' ? IGNORE_FILE : `${directory}/${IGNORE_FILE}`;
    if (!this.#texts.has(path)) return above;
    const text = this.#texts.get(path);
    try {
      if (text === undefined) throw new Error(`is no text file of at most ${MAX_IGNORE_BYTES} bytes`);
      return [...above, ...parseIgnore(text, directory)];
    } catch (error) {
      this.#refuse(path, error instanceof Error ? error.message : 'cannot be used');
      return above;
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.');
}
