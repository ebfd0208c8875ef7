// What `git ls-remote` says, and which of it a source wants. Pure.
import type { RefSelector } from './location.ts';
import { compareVersions, parseRange, parseVersion, satisfies } from './semver.ts';

export interface RemoteRefs {
  /** The branch that HEAD names, `refs/heads/main`, or undefined (an empty repository, a detached HEAD). */
  readonly head: string | undefined;
  /** By full name; only branches and tags. */
  readonly refs: ReadonlyMap<string, RemoteRef>;
}

export interface RemoteRef {
  /** What the ref holds: a commit, or an annotated tag. */
  readonly id: string;
  /** The commit behind an annotated tag, else the same as `id`. */
  readonly commit: string;
}

/** What was chosen. Without `ref`: a commit by its id. */
export interface Choice {
  readonly ref: string | undefined;
  readonly id: string;
  readonly commit: string;
}

const ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function parseLsRemote(text: string): RemoteRefs {
  const refs = new Map<string, RemoteRef>();
  let head: string | undefined;
  for (const line of text.split('\n')) {
    const tab = line.indexOf('\t');
    if (tab < 0) continue;
    const value = line.slice(0, tab);
    const name = line.slice(tab + 1);
    if (name === 'HEAD' && value.startsWith('ref: refs/heads/')) head = value.slice(5);
    if (!ID.test(value)) continue;
    const peeled = name.endsWith('^{}');
    const full = peeled ? name.slice(0, -3) : name;
    if (!/^refs\/(?:heads|tags)\/./.test(full)) continue;
    const before = refs.get(full);
    refs.set(full, peeled ? { id: before?.id ?? value, commit: value } : { id: value, commit: before?.commit ?? value });
  }
  return { head, refs };
}

/** Undefined when the remote has no such thing. */
export function choose(selector: RefSelector, remote: RemoteRefs): Choice | undefined {
  switch (selector.kind) {
    case 'commit':
      return { ref: undefined, id: selector.id, commit: selector.id };
    case 'head':
      return remote.head === undefined ? undefined : named(remote, remote.head);
    case 'branch':
      return named(remote, `refs/heads/${selector.name}`);
    case 'tag':
      return named(remote, `refs/tags/${selector.name}`);
    case 'name':
      return named(remote, `refs/heads/${selector.name}`) ?? named(remote, `refs/tags/${selector.name}`);
    default:
      return newest(selector.range, remote);
  }
}

function named(remote: RemoteRefs, ref: string): Choice | undefined {
  const found = remote.refs.get(ref);
  return found === undefined ? undefined : { ref, ...found };
}

function newest(text: string, remote: RemoteRefs): Choice | undefined {
  const range = parseRange(text);
  if (range === undefined) return undefined;
  const versions = [...remote.refs.keys()].flatMap((ref) => {
    const version = ref.startsWith('refs/tags/') ? parseVersion(ref.slice(10)) : undefined;
    return version !== undefined && satisfies(version, range) ? [{ ref, version }] : [];
  });
  // Equal versions (v1.0.0 and 1.0.0): the choice must not depend on the order in which the remote lists them.
  const best = versions.toSorted((a, b) => compareVersions(b.version, a.version) || (a.ref < b.ref ? -1 : 1))[0];
  return best === undefined ? undefined : named(remote, best.ref);
}
