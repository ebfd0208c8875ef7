// What the daemon is told: flags first, then the config file, then defaults. Nothing else in the program reads either.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { AppError, errorChain, isErrno } from './core/errors.ts';
import { checkPrefix, objectNameProblem } from './core/names.ts';
import { parseDuration } from './core/units.ts';

export const DEFAULT_CONFIG = '/etc/lockstep/lockstep.yaml';

export interface SourceOption {
  readonly name: string;
  /** Absolute path of a directory. */
  readonly directory: string;
}

export interface DaemonOptions {
  readonly sources: readonly SourceOption[];
  readonly stateDir: string;
  readonly runDir: string;
  readonly prefix: string;
  /** Group that may use the API besides root. */
  readonly socketGroup: string | undefined;
  readonly once: boolean;
  readonly timeoutMs: number;
}

export const DAEMON_USAGE = `Usage: lockstepd [options]

Keeps this host's containers, networks and pools as the manifests say.

  --config FILE          settings (default ${DEFAULT_CONFIG}, when it is there)
  --source [NAME=]DIR    a directory of manifests; may be given several times
  --state-dir DIR        what must survive a restart (default /var/lib/lockstep)
  --run-dir DIR          sockets (default /run/lockstep)
  --prefix NAME          start of every name on the host: a lower-case letter and up to three letters or digits (default ls)
  --socket-group GROUP   group that may use the API besides root
  --once                 reconcile until every object is Ready, or cannot become so; exit 0 or 1; containers keep running
  --timeout DURATION     for --once (default 10m)
  --help, --version
`;

const KEYS = ['sources', 'stateDir', 'runDir', 'prefix', 'socketGroup'] as const;
type FileOptions = Partial<Record<(typeof KEYS)[number], unknown>>;

/** Throws REQUEST_INVALID with a sentence for a person. */
export function parseDaemonOptions(argv: readonly string[]): DaemonOptions | 'help' | 'version' {
  const { values } = parseFlags(argv);
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  const file = readConfig(values.config);
  const given = values.source ?? sourcesOf(file.sources);
  return {
    sources: uniqueNames(given.map(parseSource)),
    stateDir: resolve(values['state-dir'] ?? text(file, 'stateDir') ?? '/var/lib/lockstep'),
    runDir: resolve(values['run-dir'] ?? text(file, 'runDir') ?? '/run/lockstep'),
    prefix: checkPrefix(values.prefix ?? text(file, 'prefix') ?? 'ls'),
    socketGroup: values['socket-group'] ?? text(file, 'socketGroup'),
    once: values.once === true,
    timeoutMs: duration(values.timeout ?? '10m'),
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

function sourcesOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw invalid('"sources" in the config file must be a list.', 'For example: sources: ["manifests=/etc/lockstep/manifests"]');
  return value.map((one) => {
    if (typeof one === 'string') return one;
    throw invalid('Each of the "sources" in the config file must be a text: "NAME=DIRECTORY".');
  });
}

function parseSource(given: string): SourceOption {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)$/.exec(given);
  const name = match?.[1];
  const location = match?.[2] ?? given;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location) || /^[^/]+@[^/]+:/.test(location)) {
    throw new AppError(
      'NOT_SUPPORTED_YET',
      { source: location },
      {
        message: `The source "${location}" is a git repository, which is not supported yet.`,
        hint: 'Clone it, and give its directory as the source.',
      },
    );
  }
  const directory = resolve(location);
  const used = name ?? (directory.split('/').at(-1) || 'root');
  const problem = objectNameProblem(used);
  if (problem !== undefined) throw invalid(`The source name "${used}" ${problem}.`, `Give it one: --source NAME=${location}`);
  if (used === 'api')
    throw invalid('The source name "api" is kept for objects made through the API.', `Give it another: --source NAME=${location}`);
  return { name: used, directory };
}

function uniqueNames(sources: readonly SourceOption[]): readonly SourceOption[] {
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name)) throw invalid(`Two sources have the name "${name}".`, 'Name them: --source NAME=DIR.');
    seen.add(name);
  }
  return sources;
}

function duration(given: string): number {
  const seconds = parseDuration(given);
  if (!seconds.ok || seconds.value <= 0) throw invalid(`--timeout must be a duration such as 90s or 10m, not "${given}".`);
  return seconds.value * 1000;
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('REQUEST_INVALID', {}, hint === undefined ? { message } : { message, hint });
}
