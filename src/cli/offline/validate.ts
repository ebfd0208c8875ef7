// lockstep validate PATH... : are these manifests right? Needs no root, no daemon and no network. Everything the daemon would refuse
// offline is found here, by the same code. What is slow to load is loaded when it is needed.
import { parseArgs } from 'node:util';
import { EXIT } from '../exit-codes.ts';
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

const USAGE = `usage: lockstep validate PATH... [--format ${FORMATS.join('|')}]

Checks manifests: files, directories (*.yaml, *.yml, *.json below them) or - for standard input.
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
  const report = await validate(request.paths, io);
  io.stdout.write(await render(request.format, report));
  if (report.files.size === 0 && report.problems.length === 0)
    io.stderr.write('lockstep validate: there are no manifests in these paths.\n');
  return report.problems.some((problem) => problem.severity === 'error') ? EXIT.error : EXIT.done;
}

type Request = { readonly paths: readonly string[]; readonly format: Format } | { readonly usage: string; readonly wrong?: string };

function parseRequest(argv: readonly string[]): Request {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { format: { type: 'string', default: 'text' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) return { usage: USAGE };
    const format = FORMATS.find((name) => name === values.format);
    if (format === undefined) return { usage: USAGE, wrong: `there is no format "${values.format}"` };
    if (positionals.length === 0) return { usage: USAGE, wrong: 'name at least one file or directory' };
    return { paths: positionals, format };
  } catch (error) {
    // parseArgs throws TypeErrors with a sentence for the user.
    return { usage: USAGE, wrong: error instanceof Error ? error.message : 'the arguments are not valid' };
  }
}

/** Reads and checks; the part without arguments and formats. */
export async function validate(paths: readonly string[], io: Pick<ValidateIo, 'stdin' | 'version'>): Promise<ValidateReport> {
  const { readManifestPaths } = await import('./manifest-paths.ts');
  // Reading waits for the disk, loading the schemas takes the processor: both at once.
  const [read, { parseManifests }, { checkDocuments }, { resolveProblems }, { byPlace }] = await Promise.all([
    readManifestPaths(paths, io.stdin),
    import('../../schemas/parse.ts'),
    import('../../schemas/checks/check-documents.ts'),
    import('./resolve-documents.ts'),
    import('./validate-report.ts'),
  ]);
  const parsed = parseManifests(read.files);
  const claimed = new Set(parsed.perFile.flatMap((file) => file.claims));
  const checked = checkDocuments(parsed.documents, claimed);
  const problems = [...read.problems, ...parsed.problems, ...checked.problems, ...resolveProblems(parsed.documents, checked.unusable)];
  return {
    files: new Map(read.files.map((file) => [file.path, file.text])),
    documents: parsed.documents.length,
    problems: problems.toSorted(byPlace),
    version: io.version ?? '0',
  };
}

async function render(format: Format, report: ValidateReport): Promise<string> {
  if (format === 'text') return (await import('./report-text.ts')).textReport(report);
  const machine = await import('./report-machine.ts');
  const formats = { json: machine.jsonReport, sarif: machine.sarifReport, github: machine.githubReport, junit: machine.junitReport };
  return formats[format](report);
}
