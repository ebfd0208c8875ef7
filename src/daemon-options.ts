// What the daemon is told: flags first, then the config file, then defaults. Nothing else in the program reads either.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { AppError, errorChain, isErrno } from './core/errors.ts';
import { checkPrefix, objectNameProblem } from './core/names.ts';
import { parseDuration } from './core/units.ts';
import { looksLikeGit, parseLocation } from './sources/git/location.ts';
import { GIT_KEYS, type GitOptions, gitOptions, needMap, needText, optionalText, parseGitOptions } from './sources/git/options.ts';

export const DEFAULT_CONFIG = '/etc/lockstep/lockstep.yaml';

/** What is done about changes that somebody else makes on the host, where an object does not say. */
type DriftMode = (typeof DRIFT_MODES)[number];
const DRIFT_MODES = ['repair', 'report'] as const;

export type SourceOption =
  /** `directory`: an absolute path. */
  | { readonly name: string; readonly drift?: DriftMode; readonly directory: string }
  | { readonly name: string; readonly drift?: DriftMode; readonly git: GitOptions; readonly webhook?: WebhookOption };

export interface WebhookOption {
  readonly type: (typeof WEBHOOK_TYPES)[number];
  /** Read at each call: a changed secret needs no restart. */
  readonly secretFile: string;
}

export const WEBHOOK_TYPES = ['github', 'gitlab', 'gitea', 'forgejo', 'bitbucket', 'generic'] as const;

/** Where webhooks from forges are taken, besides on the unix socket. */
export interface WebhookListen {
  readonly host: string;
  readonly port: number;
}

export interface DaemonOptions {
  readonly sources: readonly SourceOption[];
  readonly stateDir: string;
  readonly runDir: string;
  readonly prefix: string;
  /** Group that may use the API besides root. */
  readonly socketGroup: string | undefined;
  /** Undefined: nothing listens on the network. */
  readonly webhooks: WebhookListen | undefined;
  /** By source; for the others `driftDefault` holds. */
  readonly drift: ReadonlyMap<string, DriftMode>;
  readonly driftDefault: DriftMode;
  /** How often everything is looked at, events or not. Undefined: the reconciler's own interval. */
  readonly resyncMs: number | undefined;
  /** How long deleted data is kept, and how much of a pool it may take. */
  readonly retention: { readonly ms: number; readonly share: number };
  readonly once: boolean;
  readonly timeoutMs: number;
}

export const DAEMON_USAGE = `Usage: lockstepd [options]

Keeps this host's containers, networks and pools as the manifests say.

  --config FILE          settings (default ${DEFAULT_CONFIG}, when it is there)
  --source [NAME=]DIR    a directory of manifests; may be given several times
  --source [NAME=]GIT-URL[#REF][:PATH]
                         a git repository (https, ssh, file): branch, tag, commit or range of versions, and a directory in it
  --state-dir DIR        what must survive a restart (default /var/lib/lockstep)
  --run-dir DIR          sockets (default /run/lockstep)
  --prefix NAME          start of every name on the host: a lower-case letter and up to three letters or digits (default ls)
  --socket-group GROUP   group that may use the API besides root
  --drift [SOURCE=]repair|report
                         what is done about changes somebody else makes on the host: put right (default), or only reported; of all
                         objects, or of a source's; an object's own "drift" wins; may be given several times
  --resync DURATION      how often everything is looked at although no event asks for it (default 5m; at least 1s)
  --once                 reconcile until every object is Ready, or cannot become so; exit 0 or 1; containers keep running
  --timeout DURATION     for --once (default 10m)
  --help, --version
`;

const MAX_RESYNC_MS = 7 * 24 * 3600_000;

const KEYS = ['sources', 'stateDir', 'runDir', 'prefix', 'socketGroup', 'webhooks', 'drift', 'resync', 'tombstones'] as const;
const SOURCE_KEYS = ['name', 'directory', 'drift', 'webhook', ...GIT_KEYS] as const;
type FileOptions = Partial<Record<(typeof KEYS)[number], unknown>>;

/** Throws REQUEST_INVALID with a sentence for a person. */
export function parseDaemonOptions(argv: readonly string[]): DaemonOptions | 'help' | 'version' {
  const { values } = parseFlags(argv);
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const file = readConfig(values.config);
  const sources = uniqueNames(values.source?.map(parseSource) ?? sourcesOf(file.sources));
  return {
    sources,
    ...driftOf(values.drift ?? [], text(file, 'drift'), sources),
    stateDir: resolve(values['state-dir'] ?? text(file, 'stateDir') ?? '/var/lib/lockstep'),
    runDir: resolve(values['run-dir'] ?? text(file, 'runDir') ?? '/run/lockstep'),
    prefix: checkPrefix(values.prefix ?? text(file, 'prefix') ?? 'ls'),
    socketGroup: values['socket-group'] ?? text(file, 'socketGroup'),
    webhooks: webhooksOf(file.webhooks),
    resyncMs: resyncOf(values.resync ?? text(file, 'resync')),
    retention: retentionOf(file.tombstones),
    once: values.once === true,
    timeoutMs: duration('--timeout', values.timeout ?? '10m'),
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string' },
        source: { type: 'string', multiple: true },
        'state-dir': { type: 'string' },
        'run-dir': { type: 'string' },
        prefix: { type: 'string' },
        'socket-group': { type: 'string' },
        drift: { type: 'string', multiple: true },
        resync: { type: 'string' },
        once: { type: 'boolean' },
        timeout: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw invalid(errorChain(error).messages.join(': '), 'Run "lockstepd --help".');
  }
}

function readConfig(path: string | undefined): FileOptions {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path ?? DEFAULT_CONFIG, 'utf8')) ?? {};
  } catch (error) {
    if (path === undefined && isErrno(error, 'ENOENT')) return {};
    throw invalid(`The config file "${path ?? DEFAULT_CONFIG}" cannot be read: ${errorChain(error).messages.join(': ')}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid(`The config file "${path ?? DEFAULT_CONFIG}" must hold keys and values.`);
  }
  const unknown = Object.keys(content).find((key) => !(KEYS as readonly string[]).includes(key));
  if (unknown !== undefined) throw invalid(`The config file has an unknown key "${unknown}".`, `Known keys: ${KEYS.join(', ')}.`);
  return content;
}

function text(file: FileOptions, key: (typeof KEYS)[number]): string | undefined {
  const value = file[key];
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(`"${key}" in the config file must be a text.`);
}

function sourcesOf(value: unknown): SourceOption[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw invalid('"sources" in the config file must be a list.', 'For example: sources: ["manifests=/etc/lockstep/manifests"]');
  return value.map((one: unknown, at) => (typeof one === 'string' ? parseSource(one) : sourceObject(one, `sources[${at}]`)));
}

/** `{ name, directory }`, or `{ name, url, ... }` for git. */
function sourceObject(value: unknown, where: string): SourceOption {
  const map = needMap(value, where, SOURCE_KEYS);
  const name = optionalText(map['name'], `${where}.name`);
  const directory = optionalText(map['directory'], `${where}.directory`);
  const mode = optionalText(map['drift'], `${where}.drift`);
  const drift = mode === undefined ? {} : { drift: driftMode(mode, `${where}.drift`) };
  if (directory !== undefined) {
    const other = Object.keys(map).find((key) => !['name', 'directory', 'drift'].includes(key));
    if (other !== undefined) throw invalid(`"${where}" is a directory; "${other}" is only for git.`);
    return { ...directorySource(name, directory), ...drift };
  }
  if (map['url'] === undefined) throw invalid(`"${where}" has neither a "directory" nor a "url".`);
  const git = parseGitOptions(map, where);
  const webhook = webhookOf(map['webhook'], `${where}.webhook`);
  return {
    name: checkName(name ?? repositoryName(git.url.text), git.url.text),
    git,
    ...drift,
    ...(webhook === undefined ? {} : { webhook }),
  };
}

function parseSource(given: string): SourceOption {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)$/s.exec(given);
  const name = match?.[1];
  const location = match?.[2] ?? given;
  if (!looksLikeGit(location)) return directorySource(name, location);
  const git = gitOptions(parseLocation(location));
  return { name: checkName(name ?? repositoryName(git.url.text), location), git };
}

function directorySource(name: string | undefined, location: string): SourceOption {
  const directory = resolve(location);
  return { name: checkName(name ?? (directory.split('/').at(-1) || 'root'), location), directory };
}

/** The last part of the URL, without `.git`. */
function repositoryName(url: string): string {
  return (
    url
      .split(/[/:]/)
      .at(-1)
      ?.replace(/\.git$/, '') ?? ''
  );
}

function checkName(name: string, location: string): string {
  const problem = objectNameProblem(name);
  if (problem !== undefined) throw invalid(`The source name "${name}" ${problem}.`, `Give it one: --source NAME=${location}`);
  if (name === 'api' || name === 'api.lost')
    throw invalid(`The source name "${name}" is kept for objects made through the API.`, `Give it another: --source NAME=${location}`);
  return name;
}

function webhookOf(value: unknown, where: string): WebhookOption | undefined {
  if (value === undefined || value === null) return undefined;
  const map = needMap(value, where, ['type', 'secretFile']);
  const type = WEBHOOK_TYPES.find((one) => one === map['type']);
  if (type === undefined) throw invalid(`"${where}.type" must be one of ${WEBHOOK_TYPES.join(', ')}.`);
  const secretFile = needText(map['secretFile'], `${where}.secretFile`);
  if (!secretFile.startsWith('/')) throw invalid(`"${where}.secretFile" must be an absolute path.`);
  return { type, secretFile };
}

function webhooksOf(value: unknown): WebhookListen | undefined {
  if (value === undefined || value === null) return undefined;
  const listen = needText(needMap(value, 'webhooks', ['listen'])['listen'], 'webhooks.listen');
  const match = /^(?:\[([0-9a-fA-F:]+)\]|(\d{1,3}(?:\.\d{1,3}){3})):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw invalid('"webhooks.listen" must be ADDRESS:PORT, such as 127.0.0.1:9797 or "[::1]:9797".');
  return { host: match[1] ?? match[2] ?? '', port };
}

/** What is deleted is kept for a day, and for a tenth of its pool. */
const DEFAULT_RETENTION = { ms: 24 * 3600_000, share: 0.1 };
const LONGEST_RETENTION_MS = 365 * 24 * 3600_000;

/** `tombstones: { keep: 24h, poolShare: 10% }` */
function retentionOf(value: unknown): DaemonOptions['retention'] {
  if (value === undefined || value === null) return DEFAULT_RETENTION;
  const map = needMap(value, 'tombstones', ['keep', 'poolShare']);
  const keep = optionalText(map['keep'], 'tombstones.keep');
  const share = optionalText(map['poolShare'], 'tombstones.poolShare');
  const seconds = keep === undefined ? undefined : parseDuration(keep);
  const ms = seconds === undefined ? DEFAULT_RETENTION.ms : seconds.ok ? seconds.value * 1000 : NaN;
  if (!(ms >= 0 && ms <= LONGEST_RETENTION_MS)) {
    throw invalid(`"tombstones.keep" must be a duration from 0s to 365d, not "${keep}".`, 'For example: 24h');
  }
  const percent = share === undefined ? DEFAULT_RETENTION.share * 100 : Number(/^(\d{1,3}(?:\.\d+)?)%$/.exec(share)?.[1]);
  if (!(percent >= 0 && percent <= 100)) {
    throw invalid(`"tombstones.poolShare" must be a percentage from 0% to 100%, not "${share}".`, 'For example: 10%');
  }
  return { ms, share: percent / 100 };
}

function uniqueNames(sources: readonly SourceOption[]): readonly SourceOption[] {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) throw invalid(`Two sources have the name "${name}".`, 'Name them: --source NAME=DIR.');
    seen.add(name);
  }
  return sources;
}

/** Flags win over the file; of the flags, and for a source, the last one. */
function driftOf(
  flags: readonly string[],
  file: string | undefined,
  sources: readonly SourceOption[],
): Pick<DaemonOptions, 'drift' | 'driftDefault'> {
  const drift = new Map(sources.flatMap((source) => (source.drift === undefined ? [] : [[source.name, source.drift] as const])));
  let driftDefault = file === undefined ? 'repair' : driftMode(file, '"drift" in the config file');
  for (const flag of flags) {
    const at = flag.indexOf('=');
    const mode = driftMode(flag.slice(at + 1), '--drift');
    const source = flag.slice(0, Math.max(0, at));
    if (at < 0) driftDefault = mode;
    // `api`: objects made through the API.
    else if (source === 'api' || sources.some(({ name }) => name === source)) drift.set(source, mode);
    else throw invalid(`--drift names the source "${source}", which is not configured.`);
  }
  return { drift, driftDefault };
}

function driftMode(given: string, where: string): DriftMode {
  const mode = DRIFT_MODES.find((one) => one === given);
  if (mode === undefined) throw invalid(`${where} must be one of ${DRIFT_MODES.join(', ')}, not "${given}".`);
  return mode;
}

function resyncOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const ms = duration('--resync', given);
  // setTimeout takes 24.8 days at most.
  if (ms < 1000 || ms > MAX_RESYNC_MS) throw invalid(`--resync must be from 1s to 7d, not "${given}".`);
  return ms;
}

function duration(flag: string, given: string): number {
  const seconds = parseDuration(given);
  if (!seconds.ok || seconds.value <= 0) throw invalid(`${flag} must be a duration such as 90s or 10m, not "${given}".`);
  return seconds.value * 1000;
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('REQUEST_INVALID', {}, hint === undefined ? { message } : { message, hint });
}
