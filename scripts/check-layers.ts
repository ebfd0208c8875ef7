// Checks who may import whom: reads the import lines of everything in src/ and compares them with the table below. Part of
// `npm run check`; a rule that does not fit is changed here, in sight, and not gone around.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

interface Layer {
  /** Files it is about: the longest prefix counts. */
  readonly of: string;
  /** Prefixes below src/ it may import; its own folder always. */
  readonly may: readonly string[];
  /** Prefixes it may import types from. */
  readonly types?: readonly string[];
}

const LAYERS: readonly Layer[] = [
  { of: 'core/', may: [] },
  { of: 'schemas/', may: ['core/'] },
  { of: 'state/', may: ['core/'] },
  { of: 'sources/', may: ['core/'], types: ['schemas/'] },
  { of: 'sources/stored.ts', may: ['core/', 'sources/'], types: ['state/'] },
  // host/ports/: the interfaces kinds are written against, with pure functions about their own values (where a root file system lies).
  // Pure tables are shared, too: what the kernel's control files are called, what a device needs. Nothing in them touches the machine.
  { of: 'kinds/', may: ['core/', 'schemas/', 'host/ports/', 'host/cgroup/', 'host/devices/registry.ts'], types: ['host/devices/'] },
  { of: 'host/', may: ['core/'], types: ['schemas/'] },
  {
    of: 'reconciler/',
    may: ['core/', 'schemas/', 'kinds/kind.ts', 'kinds/changes.ts', 'host/view.ts'],
    types: ['state/', 'sources/', 'host/ports/', 'status/'],
  },
  { of: 'status/', may: ['core/'] },
  { of: 'operations/', may: ['core/'], types: ['host/ports/', 'reconciler/', 'state/'] },
  {
    of: 'api/',
    may: ['core/', 'schemas/'],
    types: ['operations/', 'status/', 'reconciler/', 'sources/', 'kinds/kind.ts', 'host/ports/', 'state/audit-chain.ts'],
  },
  { of: 'cli/', may: ['core/'], types: ['api/', 'reconciler/', 'schemas/', 'sources/', 'operations/', 'kinds/kind.ts'] },
  { of: 'cli/offline/', may: ['core/', 'cli/', 'schemas/', 'sources/', 'kinds/', 'reconciler/'], types: ['host/ports/'] },
  // Reads a ledger file, because an auditor has nothing else.
  { of: 'cli/offline/verify-ledger.ts', may: ['state/audit-file.ts'], types: ['state/audit-chain.ts'] },
  // Looks at the machine itself, because it must work where no daemon does.
  { of: 'cli/commands/doctor.ts', may: ['core/', 'cli/', 'host/doctor.ts'] },
  // The composition roots see both sides.
  { of: 'daemon.ts', may: [''] },
  { of: 'daemon-ledger.ts', may: ['core/', 'state/'], types: ['host/ports/'] },
  { of: 'daemon-options.ts', may: ['core/', 'sources/git/location.ts', 'sources/git/options.ts'] },
  { of: 'daemon-settle.ts', may: ['core/', 'reconciler/'] },
  { of: 'daemon-rest.ts', may: ['core/'] },
  { of: 'main.ts', may: ['core/', 'daemon.ts', 'daemon-options.ts', 'daemon-settle.ts', 'cli/'] },
];

/** Modules that only some files may load. */
const PACKAGES: readonly { readonly name: RegExp; readonly only: readonly string[]; readonly why: string }[] = [
  { name: /^node:sqlite$/, only: ['state/'], why: 'nobody but the ledger writes SQL' },
  { name: /^(?:node:)?child_process$/, only: ['host/run/'], why: 'host/run/ is the one place that starts processes' },
  { name: /^(?:node:)?module$|\.node$/, only: ['host/lxc/binding.ts'], why: 'host/lxc/binding.ts is the only file that loads the addon' },
  { name: /^prom-client$/, only: ['status/prometheus.ts'], why: 'it is loaded only when somebody asks for metrics' },
  { name: /^simple-git$/, only: ['sources/git/command.ts'], why: 'every git command goes through one wrapper' },
  { name: /^chokidar$/, only: ['sources/'], why: 'sources watch files' },
  { name: /^fastify/, only: ['api/'], why: 'only the API speaks HTTP' },
];

interface Import {
  readonly from: string;
  readonly line: number;
  readonly target: string;
  readonly typeOnly: boolean;
}

/** `import ... from`, `export ... from`, `import '...'`, `import('...')`. Statements begin a line; oxfmt sees to that. */
const STATEMENT = /^(?<head>(?:import|export)\s(?:[^'";]*?\sfrom\s)?)'(?<static>[^']+)'|\bimport\('(?<dynamic>[^']+)'\)/gm;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(STATEMENT)].map((match) => {
    const { head = '', static: fixed, dynamic } = match.groups ?? {};
    const specifier = fixed ?? dynamic ?? '';
    const local = specifier.startsWith('.');
    return {
      from: file,
      line: text.slice(0, match.index).split('\n').length,
      target: local ? relative(SRC, resolve(SRC, dirname(file), specifier)) : specifier,
      typeOnly: /^(?:import|export)\s+type\s/.test(head),
    };
  });
}

function layerOf(file: string): Layer | undefined {
  return LAYERS.filter((layer) => file.startsWith(layer.of)).toSorted((a, b) => b.of.length - a.of.length)[0];
}

function problemOf(one: Import, known: ReadonlySet<string>): string | undefined {
  const rule = PACKAGES.find(({ name }) => name.test(one.target));
  if (rule) return rule.only.some((prefix) => one.from.startsWith(prefix)) ? undefined : `loads ${one.target}, but ${rule.why}`;
  if (one.target.startsWith('../')) return undefined; // package.json
  if (!known.has(one.target)) return undefined; // a package
  const layer = layerOf(one.from);
  if (!layer) return 'lies in no known layer';
  const starts = (prefix: string): boolean => one.target.startsWith(prefix);
  const own = layer.of.endsWith('/') && starts(layer.of);
  if (own || layer.may.some(starts)) return undefined;
  if (layer.types?.some(starts)) return one.typeOnly ? undefined : `may import only types from ${one.target}`;
  return `may not import ${one.target}`;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const known = new Set(files);
const imports = files.flatMap((file) => importsOf(file));
const problems = imports.flatMap((one) => {
  const problem = problemOf(one, known);
  return problem === undefined ? [] : [`src/${one.from}:${one.line} ${problem}`];
});
for (const file of files) if (!layerOf(file)) problems.push(`src/${file} lies in no known layer`);
// A reader that finds nothing would agree with everything.
if (files.length < 10 || imports.filter((one) => known.has(one.target)).length < files.length) {
  problems.push(`only ${imports.length} imports were found in ${files.length} files: the check itself is broken`);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(`layers: ${files.length} files, ${imports.length} imports, ${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
