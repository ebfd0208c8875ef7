// lockstep validate PATH... : are these manifests right? Needs no root, no daemon and no network. Everything the daemon would refuse
// offline is found here, by the same code. What is slow to load is loaded when it is needed.
import { parseArgs } from 'node:util';
import { toAppError } from '../../core/errors.ts';
import type { Problem } from '../../schemas/problem.ts';
import { EXIT } from '../exit-codes.ts';
import type { ReadManifests } from './manifest-paths.ts';
import type { ValidateReport } from './validate-report.ts';

export interface ValidateIo {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Shown in SARIF. */
  readonly version?: string;
}

const FORMATS = ['text', 'json', 'sarif', 'github', 'junit'] as const;
type Format = (typeof FORMATS)[number];

const USAGE = `usage: lockstep validate PATH... [--rev REV] [--changed-since REV] [--format ${FORMATS.join('|')}]

Checks manifests: files, directories (*.yaml, *.yml, *.json below them) or - for standard input.
  --rev REV            as they are in a revision of the git repository they lie in
  --changed-since REV  only problems in files that changed since that revision, or that came since then in others
Exit code 0 when there are no errors, 1 when there are, 64 when the command line is wrong.
`;

/** Runs the command with its arguments (without `validate`). Resolves with the exit code; never rejects for bad manifests. */
export async function runValidate(argv: readonly string[], io: ValidateIo): Promise<number> {
  const request = parseRequest(argv);
  if ('usage' in request) {
    const { usage, wrong } = request;
    if (wrong === undefined) io.stdout.write(usage);
    else io.stderr.write(`lockstep validate: ${wrong}\n${usage}`);
    return wrong === undefined ? EXIT.done : EXIT.usage;
  }
  let report: ValidateReport;
  try {
    report = await validate(request, io);
  } catch (error) {
    const { message, hint } = toAppError(error);
    io.stderr.write(`lockstep validate: ${message}${hint === undefined ? '' : ` ${hint}`}\n`);
    return EXIT.error;
  }
  io.stdout.write(await render(request.format, report));
  if (report.files.size === 0 && report.problems.length === 0)
    io.stderr.write('lockstep validate: there are no manifests in these paths.\n');
  return report.problems.some((problem) => problem.severity === 'error') ? EXIT.error : EXIT.done;
}

interface Selection {
  readonly paths: readonly string[];
  /** A git revision, instead of the files as they are. */
  readonly rev?: string | undefined;
  readonly changedSince?: string | undefined;
}

type Request = (Selection & { readonly format: Format }) | { readonly usage: string; readonly wrong?: string };

function parseRequest(argv: readonly string[]): Request {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        format: { type: 'string', default: 'text' },
        rev: { type: 'string' },
        'changed-since': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return { usage: USAGE };
    const format = FORMATS.find((name) => name === values.format);
    if (format === undefined) return { usage: USAGE, wrong: `there is no format "${values.format}"` };
    if (positionals.length === 0) return { usage: USAGE, wrong: 'name at least one file or directory' };
    const { rev, 'changed-since': changedSince } = values;
    if ((rev !== undefined || changedSince !== undefined) && positionals.includes('-'))
      return { usage: USAGE, wrong: 'standard input is in no git revision' };
    return { paths: positionals, format, rev, changedSince };
  } catch (error) {
    // parseArgs throws TypeErrors with a sentence for the user.
    return { usage: USAGE, wrong: error instanceof Error ? error.message : 'the arguments are not valid' };
  }
}

/** Reads and checks; the part without arguments and formats. Throws AppError when a revision cannot be read. */
async function validate({ paths, rev, changedSince }: Selection, io: Pick<ValidateIo, 'stdin' | 'version'>): Promise<ValidateReport> {
  const { readManifestPaths } = await import('./manifest-paths.ts');
  const revision = rev === undefined && changedSince === undefined ? undefined : await import('./git-manifests.ts');
  // Reading waits for the disk, loading the schemas takes the processor: both at once.
  const [read, old, { problemsIn }, { byPlace }] = await Promise.all([
    rev === undefined ? readManifestPaths(paths, io.stdin) : revision!.readRevision(paths, rev, false),
    changedSince === undefined ? undefined : revision!.readRevision(paths, changedSince, true),
    import('./problems-in.ts'),
    import('./validate-report.ts'),
  ]);
  const files = new Map(read.files.map((file) => [file.path, file.text]));
  const { problems, documents } = problemsIn(read);
  const since = old === undefined ? problems : newSince(problems, files, old, problemsIn(old).problems);
  return { files, documents, problems: since.toSorted(byPlace), version: io.version ?? '0' };
}

/** Problems in files that changed, and those that a change made in files that did not. */
function newSince(
  problems: readonly Problem[],
  files: ReadonlyMap<string, string>,
  old: ReadManifests,
  oldProblems: readonly Problem[],
): readonly Problem[] {
  const before = new Map(old.files.map((file) => [file.path, file.text]));
  const known = new Set(oldProblems.map(identity));
  return problems.filter((problem) => files.get(problem.file) !== before.get(problem.file) || !known.has(identity(problem)));
}

function identity({ file, line, rule, field, message }: Problem): string {
  return JSON.stringify([file, line, rule, field, message]);
}

async function render(format: Format, report: ValidateReport): Promise<string> {
  if (format === 'text') return (await import('./report-text.ts')).textReport(report);
  const machine = await import('./report-machine.ts');
  const formats = { json: machine.jsonReport, sarif: machine.sarifReport, github: machine.githubReport, junit: machine.junitReport };
  return formats[format](report);
}
