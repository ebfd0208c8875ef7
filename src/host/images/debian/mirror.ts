// Debian mirrors from the host's own apt sources, so that an image comes from where the host's packages come from (a local mirror, a
// proxy, a snapshot). Formats: sources.list(5), one line per source or deb822 stanzas. Pure, but for reading the files.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../../core/errors.ts';

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Its packages are taken without a signature, because the host's administrator said so. */
  readonly trusted: boolean;
}

const APT_DIR = '/etc/apt';
const URI = /^https?:\/\/[^\s"'<>]+$/;
const WORD = /^[A-Za-z0-9][A-Za-z0-9./_-]*$/;

export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split('\n')) {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(raw.trim());
    if (!match) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    sources.push(...usable(uri, suite, words(components), /(?:^|\s)trusted=yes(?:\s|$)/.test(options)));
  }
  return sources;
}

export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      if (match) {
        last = match[1]!.toLowerCase();
        fields.set(last, match[2]!);
      } else if (/^\s/.test(line) && last !== '') {
        fields.set(last, `${fields.get(last)} ${line.trim()}`);
      }
    }
    const enabled = (fields.get('enabled') ?? 'yes').toLowerCase() !== 'no';
    if (!enabled || !words(fields.get('types') ?? '').includes('deb')) continue;
    for (const uri of words(fields.get('uris') ?? '')) {
      for (const suite of words(fields.get('suites') ?? '')) {
        sources.push(...usable(uri, suite, words(fields.get('components') ?? ''), fields.get('trusted')?.toLowerCase() === 'yes'));
      }
    }
  }
  return sources;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function usable(uri: string, suite: string, components: readonly string[], trusted: boolean): AptSource[] {
  if (!URI.test(uri) || !WORD.test(suite) || components.length === 0 || !components.every((word) => WORD.test(word))) return [];
  return [{ uri, suite, components, trusted }];
}

/**
 * Lines for mmdebstrap: the host's sources of exactly this release with its updates. Empty when the host has none: mmdebstrap then
 * takes Debian's own mirror. Third-party sources name other suites, or are left out because they lack `main`.
 */
export function mirrorLines(sources: readonly AptSource[], release: string): string[] {
  const suites = new Set([release, `${release}-updates`, `${release}-security`]);
  const wanted = sources.filter((source) => suites.has(source.suite) && source.components.includes('main'));
  if (!wanted.some((source) => source.suite === release)) return [];
  const lines = wanted.map(({ uri, suite, trusted }) => `deb ${trusted ? '[trusted=yes] ' : ''}${uri} ${suite} main`);
  return [...new Set(lines)];
}

export async function hostSources(aptDir: string = APT_DIR): Promise<AptSource[]> {
  const sources = parseOneLine((await readIfThere(join(aptDir, 'sources.list'))) ?? '');
  const parts = join(aptDir, 'sources.list.d');
  for (const name of (await namesIn(parts)).toSorted()) {
    const text = (await readIfThere(join(parts, name))) ?? '';
    if (name.endsWith('.list')) sources.push(...parseOneLine(text));
    if (name.endsWith('.sources')) sources.push(...parseDeb822(text));
  }
  return sources;
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EISDIR')) return undefined;
    throw error;
  }
}
