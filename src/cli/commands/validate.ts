// lockstep validate: are these manifests right? Offline.
import { Option } from 'commander';
import { clientVersion } from '../client-version.ts';
import type { Define } from '../context.ts';
import { runValidate } from '../offline/validate.ts';

const FORMATS = ['text', 'json', 'sarif', 'github', 'junit'];

export const define: Define = (command, run) => {
  command
    .argument('<paths...>', 'manifests, directories, or - for stdin')
    .addOption(new Option('--format <format>', 'how to print problems').choices(FORMATS))
    .option('--rev <rev>', 'check them as they are in this git revision')
    .option('--changed-since <rev>', 'tell only problems that came since this git revision')
    .addHelpText('after', '\nExit codes: 0 no errors, 1 errors. Needs no root and no daemon.')
    .action((paths: string[], options: { readonly format?: string; readonly rev?: string; readonly changedSince?: string }) =>
      run(async ({ output }) => {
        const asYaml = options.format === undefined && output.format === 'yaml';
        const format = options.format ?? (output.format === 'table' ? 'text' : 'json');
        let report = '';
        const stdout = asYaml ? { write: (text: string) => (report += text) } : process.stdout;
        const io = { stdin: process.stdin, stdout, stderr: process.stderr, version: clientVersion() };
        const revisions = [
          ...(options.rev === undefined ? [] : [`--rev=${options.rev}`]),
          ...(options.changedSince === undefined ? [] : [`--changed-since=${options.changedSince}`]),
        ];
        const exitCode = await runValidate([`--format=${format}`, ...revisions, '--', ...paths], io);
        if (report !== '') await output.data(JSON.parse(report) as unknown);
        return exitCode;
      }),
    );
};
