// Where a git source lies: `URL[#REF][:PATH]`, taken apart and checked. Everything here ends up as an argument of git or ssh, so what could be
// read as an option, a remote helper or a second line is refused by form, not by list. Pure.
import { AppError } from '../../core/errors.ts';
import { parseRange } from './semver.ts';

export type GitProtocol = 'https' | 'http' | 'ssh' | 'file';

export interface GitUrl {
  /** As git is given it: without user name for http(s), without trailing slash. */
  readonly text: string;
  readonly protocol: GitProtocol;
  /** Of an http(s) URL; ssh keeps it in `text`. */
  readonly username: string | undefined;
}

/** Which commit is wanted. `head`: the remote's default branch. `name`: the branch of that name, or else the tag. */
export type RefSelector =
  | { readonly kind: 'head' }
  | { readonly kind: 'name' | 'branch' | 'tag'; readonly name: string }
  | { readonly kind: 'semver'; readonly range: string }
  | { readonly kind: 'commit'; readonly id: string };

export interface GitLocation {
  readonly url: GitUrl;
  readonly ref: RefSelector;
  /** Directory inside the repository, without slashes at its ends; `` for all of it. */
  readonly path: string;
}

const MAX_URL = 2048;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/;
const SCP_FORM = /^(?<user>[^@:/]+)@(?<host>[^@:/]+|\[[^\]]*\]):(?<path>[^:].*)$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;
// eslint-disable-next-line no-control-regex -- exactly those are looked for
const UNPRINTABLE = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/;

/** Whether a `--source` means a git repository and not a directory: a scheme, a remote helper, or `user@host:`. */
export function looksLikeGit(location: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/|:)/.test(location) || /^[^/@]+@[^/]+:/.test(location);
}

/** `URL[#REF][:PATH]`. REF: see `parseRef`. Throws VALUE_INVALID. */
export function parseLocation(text: string): GitLocation {
  const hash = text.indexOf('#');
  const before = hash < 0 ? text : text.slice(0, hash);
  if (hash >= 0) {
    const after = text.slice(hash + 1);
    const colon = after.indexOf(':');
    return {
      url: parseGitUrl(before),
      ref: parseRef(colon < 0 ? after : after.slice(0, colon)),
      path: parseInnerPath(colon < 0 ? '' : after.slice(colon + 1)),
    };
  }
  const [url, path] = splitInnerPath(before);
  return { url: parseGitUrl(url), ref: { kind: 'head' }, path: parseInnerPath(path) };
}

/** Without a `#`, a colon after the host's part begins the path: `https://host:8443/repo.git:hosts/a`, `git@host:repo.git:hosts/a`. */
function splitInnerPath(text: string): [url: string, path: string] {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/.exec(text);
  const from = scheme ? scheme[0].length : text.indexOf(':') + 1;
  const colon = text.startsWith(':', from) ? -1 : text.indexOf(':', from);
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** Throws VALUE_INVALID with a sentence that never repeats a password. */
export function parseGitUrl(text: string): GitUrl {
  if (text.length > MAX_URL || UNPRINTABLE.test(text) || /%(?:0[0-9a-f]|1[0-9a-f]|7f)/i.test(text)) {
    throw refused('A git URL must be printable characters without spaces, at most 2048 of them.');
  }
  if (text.startsWith('-')) throw refused(`The git URL "${text}" begins with a hyphen, as an option does.`);
  if (/^[A-Za-z0-9+.-]*::/.test(text)) throw refused(`The git URL "${text}" names a remote helper, which could run any program.`);
  const scp = SCP_FORM.exec(text)?.groups;
  if (scp && !text.includes('://')) return scpUrl(text, scp['user'] ?? '', scp['host'] ?? '', scp['path'] ?? '');
  const match = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*):\/\/(?<authority>[^/]*)(?<path>\/.*)?$/.exec(text)?.groups;
  if (!match) throw refused('A git URL begins with https://, ssh:// or file://, or has the form user@host:path.');
  const scheme = (match['scheme'] ?? '').toLowerCase();
  const path = (match['path'] ?? '').replace(/\/+$/, '');
  if (/[?#]/.test(path)) throw refused('A git URL has no "?" in it.');
  if (path === '') throw refused('The git URL names no repository.');
  if (scheme === 'file') return fileUrl(match['authority'] ?? '', path);
  if (scheme !== 'https' && scheme !== 'http' && scheme !== 'ssh') {
    throw refused(`Git over "${scheme}://" is not supported.`, 'Use https://, ssh:// or file://.');
  }
  return networkUrl(scheme, match['authority'] ?? '', path);
}

function scpUrl(text: string, user: string, host: string, path: string): GitUrl {
  if (!USER.test(user) || !HOST.test(host)) throw refused('The user or host of the git URL has characters that are not allowed.');
  if (path.startsWith('-')) throw refused('The path of the git URL begins with a hyphen, as an option does.');
  if (/^\/+$/.test(path)) throw refused('The git URL names no repository.');
  return { text: text.replace(/\/+$/, ''), protocol: 'ssh', username: undefined };
}

function fileUrl(authority: string, path: string): GitUrl {
  if (authority !== '') throw refused('A file URL has three slashes: file:///path/to/repository.git');
  return { text: `file://${path}`, protocol: 'file', username: undefined };
}

function networkUrl(protocol: 'https' | 'http' | 'ssh', authority: string, path: string): GitUrl {
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(authority.slice(at + 1)) ?? [];
  if (user?.includes(':') === true) {
    const hint = 'Name a file instead: auth: { username: NAME, passwordFile: FILE }.';
    throw refused('A git URL must not hold a password: it would show up in logs and status.', hint);
  }
  if (user !== undefined && !USER.test(user)) throw refused('The user name in the git URL has characters that are not allowed.');
  if (!HOST.test(host)) throw refused('The host in the git URL is missing or has characters that are not allowed.');
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) throw refused(`The git URL's port ${port} does not exist.`);
  if (protocol === 'http' && !LOOPBACK.test(host)) {
    throw refused(
      'Git over http:// can be read and changed on the way.',
      'Use https://; http:// is only for this host itself (localhost).',
    );
  }
  if (path.startsWith('/-')) throw refused('The path of the git URL begins with a hyphen, as an option does.');
  const place = `${host.toLowerCase()}${port === undefined ? '' : `:${port}`}${path}`;
  const sshUser = protocol === 'ssh' && user !== undefined ? `${user}@` : '';
  return { text: `${protocol}://${sshUser}${place}`, protocol, username: protocol === 'ssh' ? undefined : user };
}

/**
 * `` the default branch; 40 or 64 hex digits: a commit; `refs/heads/NAME`, `refs/tags/NAME`; what begins with `^ ~ > < = *` is a range of
 * versions; all else is the name of a branch, or else of a tag.
 */
export function parseRef(text: string): RefSelector {
  if (text === '') return { kind: 'head' };
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(text)) return { kind: 'commit', id: text.toLowerCase() };
  if (/^[\^~<>=*]/.test(text)) return { kind: 'semver', range: checkRange(text) };
  if (text.startsWith('refs/heads/')) return { kind: 'branch', name: checkRefName(text.slice(11)) };
  if (text.startsWith('refs/tags/')) return { kind: 'tag', name: checkRefName(text.slice(10)) };
  return { kind: 'name', name: checkRefName(text) };
}

export function checkRange(range: string): string {
  if (parseRange(range) === undefined) {
    throw refused(`"${printable(range)}" is no range of versions.`, 'For example: ^1.2, ~2.0.1, ">=1.4 <3", *.');
  }
  return range;
}

export function checkCommit(id: string): string {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(id)) throw refused(`"${printable(id)}" is no full commit id (40 or 64 hex digits).`);
  return id.toLowerCase();
}

/** The rules of git-check-ref-format(1), and no leading hyphen. */
export function checkRefName(name: string): string {
  const bad =
    name === '' ||
    name.length > 255 ||
    UNPRINTABLE.test(name) ||
    /[~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.test(name) ||
    name === '@' ||
    name.split('/').some((part) => part.startsWith('.') || part.startsWith('-') || part.endsWith('.lock'));
  if (bad) throw refused(`"${printable(name)}" is no name of a git branch or tag.`);
  return name;
}

/** A directory inside the repository. */
export function parseInnerPath(text: string): string {
  const path = text.replace(/^\.?\/+|\/+$/g, '');
  // eslint-disable-next-line no-control-regex -- exactly those are looked for
  const bad = path.length > 1024 || /[\u0000-\u001f\u007f\\]/.test(path) || path.split('/').some((part) => part === '.' || part === '..');
  if (bad || path.startsWith('-') || path.includes('//')) {
    throw refused(`"${printable(text)}" is no path inside a repository.`, 'It is relative to the repository, without "..".');
  }
  return path;
}

/** For people, and to tell whether a source was told to follow something else. */
export function refText(ref: RefSelector): string {
  switch (ref.kind) {
    case 'head':
      return 'HEAD';
    case 'name':
      return ref.name;
    case 'branch':
      return `refs/heads/${ref.name}`;
    case 'tag':
      return `refs/tags/${ref.name}`;
    case 'semver':
      return ref.range;
    default:
      return ref.id;
  }
}

/** `URL[#REF][:PATH]` again. */
export function locationText({ url, ref, path }: GitLocation): string {
  // A colon in the URL's own path would be read as the beginning of the inner one, a "#" in the inner one as that of the ref.
  const unclear = splitInnerPath(url.text)[0] !== url.text || path.includes('#');
  const hash = ref.kind === 'head' ? (unclear ? '#' : '') : `#${refText(ref)}`;
  return `${url.text}${hash}${path === '' ? '' : `:${path}`}`;
}

function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- exactly those are replaced
  return text.slice(0, 100).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function refused(message: string, hint?: string): AppError {
  return new AppError('VALUE_INVALID', {}, hint === undefined ? { message } : { message, hint });
}
