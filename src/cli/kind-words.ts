// Kinds and objects as people type them: `pool`, `instances`, `web`, `instance/web`, `StorageVolume/default/fast/data`.
import { isKindName, KIND_NAMES, type KindName, makeRef, parseRefKey, type ResourceRef, scopeOf } from '../core/ref.ts';
import { usageError } from './errors.ts';

const WORDS: ReadonlyMap<string, KindName> = new Map([
  ['container', 'Instance'],
  ['vm', 'Instance'],
  ['set', 'InstanceSet'],
  ['pool', 'StoragePool'],
  ['storage', 'StoragePool'],
  ['volume', 'StorageVolume'],
  ['vol', 'StorageVolume'],
  ['net', 'Network'],
  ['acl', 'NetworkACL'],
  ['forward', 'NetworkForward'],
]);

/** The kind behind a word: any case, singular or plural, with or without hyphens; LXD's short words too. */
export function findKind(word: string): KindName | undefined {
  if (isKindName(word)) return word;
  const plain = word.toLowerCase().replaceAll(/[-_]/g, '');
  const names = [plain, plain.replace(/s$/, '')];
  for (const name of names) {
    const kind = KIND_NAMES.find((one) => one.toLowerCase() === name) ?? WORDS.get(name);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

export function parseKind(word: string): KindName {
  const kind = findKind(word);
  if (kind === undefined) throw usageError(`"${word}" is not a kind.`, `Kinds are ${KIND_NAMES.join(', ')}.`);
  return kind;
}

/** The short form with its kind spelled as the daemon knows it. */
export function normalizeObject(text: string): string {
  const [first, ...rest] = text.split('/');
  if (first === undefined || rest.length === 0) return text;
  return [parseKind(first), ...rest].join('/');
}

/** The ref a text spells out, for objects the daemon does not list any more. A bare name is an instance. */
export function spellOut(text: string, project: string | undefined): ResourceRef {
  const normal = normalizeObject(text);
  const full = parseRefKey(normal);
  if (full !== undefined) return full;
  const at = project === undefined ? {} : { project };
  const [kind, ...rest] = normal.split('/');
  if (rest.length === 0) return makeRef('Instance', normal, at);
  if (kind !== undefined && isKindName(kind)) {
    const [first, second] = rest;
    if (!scopeOf(kind).parent && rest.length === 1 && first) return makeRef(kind, first, at);
    if (scopeOf(kind).parent && rest.length === 2 && first && second) return makeRef(kind, second, { ...at, parent: first });
  }
  throw usageError(`"${text}" does not name one object.`, 'Write NAME, Kind/NAME, Kind/PARENT/NAME or Kind/PROJECT/PARENT/NAME.');
}

/** `Instance/web`, with project and parent where they matter. */
export function shortRef(ref: ResourceRef): string {
  const parts = [
    ref.kind,
    ref.project === '-' || ref.project === 'default' ? '' : ref.project,
    ref.parent === '-' ? '' : ref.parent,
    ref.name,
  ];
  return parts.filter((part) => part !== '').join('/');
}
