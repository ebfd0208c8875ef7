// What a git source is told, and its object form in the config file. Pure.
import { AppError } from '../../core/errors.ts';
import { parseDuration } from '../../core/units.ts';
import {
  checkCommit,
  checkRange,
  checkRefName,
  type GitLocation,
  parseGitUrl,
  parseInnerPath,
  parseRef,
  type RefSelector,
} from './location.ts';

export interface GitAuth {
  readonly username?: string;
  /** Files are read when they are used: a changed password needs no restart. */
  readonly passwordFile?: string;
  readonly tokenFile?: string;
  readonly sshKeyFile?: string;
  readonly knownHostsFile?: string;
  readonly caFile?: string;
}

export interface GitVerify {
  /** In the format of ssh-keygen(1), "ALLOWED SIGNERS". */
  readonly sshAllowedSigners?: string;
  /** Files with public keys, armoured or not. */
  readonly openpgpKeys?: readonly string[];
  /** Who must have signed: the commit itself, or the tag that names it. */
  readonly require: 'commit' | 'tag';
}

export interface GitOptions extends GitLocation {
  readonly intervalMs: number;
  /** For one look at the remote, transfer included. */
  readonly timeoutMs: number;
  readonly auth: GitAuth;
  readonly verify: GitVerify | undefined;
  readonly allowRewrite: boolean;
}

export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_TIMEOUT_MS = 120_000;
const MIN_INTERVAL_MS = 1000;
/** As of --resync; a timer of Node's holds 24 days at most. */
const MAX_INTERVAL_MS = 7 * 24 * 3600_000;

const AUTH_KEYS = ['username', 'passwordFile', 'tokenFile', 'sshKeyFile', 'knownHostsFile', 'caFile'] as const;
const VERIFY_KEYS = ['sshAllowedSigners', 'openpgpKeys', 'require'] as const;
const REF_KEYS = ['branch', 'tag', 'semver', 'commit'] as const;
/** The keys of the object form that are about git. */
export const GIT_KEYS = ['url', 'ref', 'path', 'interval', 'timeout', 'auth', 'verify', 'allowRewrite'] as const;

/** What was given on the command line, with defaults. */
export function gitOptions(location: GitLocation): GitOptions {
  const auth = location.url.username === undefined ? {} : { username: location.url.username };
  return { ...location, intervalMs: DEFAULT_INTERVAL_MS, timeoutMs: DEFAULT_TIMEOUT_MS, auth, verify: undefined, allowRewrite: false };
}

/** The object form: `{ url, ref, path, ... }`; other keys are for the caller. Throws VALUE_INVALID or REQUEST_INVALID. */
export function parseGitOptions(value: Readonly<Record<string, unknown>>, where: string): GitOptions {
  const url = parseGitUrl(needText(value['url'], `${where}.url`));
  const ref = parseRefOption(value['ref'], `${where}.ref`);
  const verify = parseVerify(value['verify'], `${where}.verify`);
  if (verify?.require === 'tag' && ref.kind !== 'tag' && ref.kind !== 'semver') {
    throw invalid(`"${where}.verify.require" is "tag", but "${where}.ref" names no tag.`, 'Give ref: { tag: NAME } or { semver: RANGE }.');
  }
  return {
    url,
    ref,
    path: parseInnerPath(optionalText(value['path'], `${where}.path`) ?? ''),
    intervalMs: duration(value['interval'], `${where}.interval`, DEFAULT_INTERVAL_MS),
    timeoutMs: duration(value['timeout'], `${where}.timeout`, DEFAULT_TIMEOUT_MS),
    auth: parseAuth(value['auth'], where, url.protocol, url.username),
    verify,
    allowRewrite: bool(value['allowRewrite'], `${where}.allowRewrite`),
  };
}

function parseRefOption(value: unknown, where: string): RefSelector {
  if (value === undefined || value === null) return { kind: 'head' };
  if (typeof value === 'string') return parseRef(value);
  const map = needMap(value, where, REF_KEYS);
  const [key, ...more] = Object.keys(map);
  if (key === undefined || more.length > 0) throw invalid(`"${where}" must have one of the keys ${REF_KEYS.join(', ')}.`);
  const text = needText(map[key], `${where}.${key}`);
  if (key === 'semver') return { kind: 'semver', range: checkRange(text) };
  if (key === 'commit') return { kind: 'commit', id: checkCommit(text) };
  return { kind: key === 'tag' ? 'tag' : 'branch', name: checkRefName(text) };
}

function parseAuth(value: unknown, where: string, protocol: string, username: string | undefined): GitAuth {
  const map = value === undefined || value === null ? {} : needMap(value, `${where}.auth`, AUTH_KEYS);
  const auth: Record<string, string> = username === undefined ? {} : { username };
  for (const key of AUTH_KEYS) {
    if (map[key] === undefined) continue;
    const text = needText(map[key], `${where}.auth.${key}`);
    // eslint-disable-next-line no-control-regex -- a new line would begin another setting
    if (/[\u0000-\u001f\u007f"]/.test(text)) throw invalid(`"${where}.auth.${key}" has characters that are not allowed.`);
    if (key !== 'username' && !text.startsWith('/')) throw invalid(`"${where}.auth.${key}" must be an absolute path.`);
    auth[key] = text;
  }
  const forSsh = auth['sshKeyFile'] !== undefined || auth['knownHostsFile'] !== undefined;
  const forHttp = auth['passwordFile'] !== undefined || auth['tokenFile'] !== undefined || auth['caFile'] !== undefined;
  if (forSsh && protocol !== 'ssh') throw invalid(`"${where}.auth" has keys for ssh, but the URL is ${protocol}.`);
  if (forHttp && protocol !== 'https' && protocol !== 'http') {
    throw invalid(`"${where}.auth" has keys for https, but the URL is ${protocol}.`);
  }
  if (auth['passwordFile'] !== undefined && auth['tokenFile'] !== undefined) {
    throw invalid(`"${where}.auth" has a passwordFile and a tokenFile; only one of them can be used.`);
  }
  return auth;
}

function parseVerify(value: unknown, where: string): GitVerify | undefined {
  if (value === undefined || value === null) return undefined;
  const map = needMap(value, where, VERIFY_KEYS);
  const signers = optionalText(map['sshAllowedSigners'], `${where}.sshAllowedSigners`);
  const given = map['openpgpKeys'];
  const keys =
    given === undefined ? undefined : (Array.isArray(given) ? given : [given]).map((one) => needText(one, `${where}.openpgpKeys`));
  if (signers === undefined && (keys === undefined || keys.length === 0)) {
    throw invalid(`"${where}" pins no key.`, 'Give sshAllowedSigners: FILE, or openpgpKeys: [FILE, ...].');
  }
  for (const file of [...(signers === undefined ? [] : [signers]), ...(keys ?? [])]) {
    if (!file.startsWith('/')) throw invalid(`"${where}" must name files by absolute paths, not "${file}".`);
  }
  const require = optionalText(map['require'], `${where}.require`) ?? 'commit';
  if (require !== 'commit' && require !== 'tag') throw invalid(`"${where}.require" must be "commit" or "tag".`);
  return {
    ...(signers === undefined ? {} : { sshAllowedSigners: signers }),
    ...(keys === undefined ? {} : { openpgpKeys: keys }),
    require,
  };
}

export function needMap(value: unknown, where: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`"${where}" must hold keys and values.`);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`"${where}" has an unknown key "${unknown}".`, `Known keys: ${known.join(', ')}.`);
  return value as Record<string, unknown>;
}

export function needText(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`"${where}" must be a text.`);
}

export function optionalText(value: unknown, where: string): string | undefined {
  return value === undefined || value === null ? undefined : needText(value, where);
}

function duration(value: unknown, where: string, byDefault: number): number {
  if (value === undefined || value === null) return byDefault;
  const seconds = parseDuration(needText(value, where));
  if (!seconds.ok || seconds.value * 1000 < MIN_INTERVAL_MS || seconds.value * 1000 > MAX_INTERVAL_MS)
    throw invalid(`"${where}" must be a duration from 1s to 7d, such as 60s or 5m.`);
  return seconds.value * 1000;
}

function bool(value: unknown, where: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  throw invalid(`"${where}" must be true or false.`);
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('REQUEST_INVALID', {}, hint === undefined ? { message } : { message, hint });
}
