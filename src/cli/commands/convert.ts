// lockstep convert: documents of LXD or Incus to manifests, and back. Offline.
import { Option } from 'commander';
import type { Define } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { problemLines } from '../problem-text.ts';

interface ConvertArguments {
  readonly from?: 'lxd' | 'incus';
  readonly to: 'manifest' | 'lxd';
  readonly name?: string;
  readonly image?: string;
  readonly pool?: string;
}

const HELP = `
Reads what these print, and tells them by their shape: lxc config show [--expanded], lxc profile show, lxc network show,
lxc storage show, lxc storage volume show, lxd init --dump, and the same of incus.

-o json gives a list of { title, document, notes }. Exit codes: 0 done, 1 something could not be converted. Needs no root and no daemon.`;

export const define: Define = (command, run) => {
  command
    .argument('<files...>', 'documents, or - for stdin')
    .addOption(
      new Option('--from <program>', 'whose documents these are: keys only the other has are kept aside').choices(['lxd', 'incus']),
    )
    .addOption(new Option('--to <format>', 'what to make of them').choices(['manifest', 'lxd']).default('manifest'))
    .option('--name <name>', 'name of the object, where the document has none (instances)')
    .option('--image <name>', 'the Image instances are made from; default: a name made of the image LXD remembers')
    .option('--pool <name>', 'pool of a volume')
    .addHelpText('after', HELP)
    .action((paths: string[], options: ConvertArguments) =>
      run(async ({ output }) => {
        const [{ readManifestPaths }, { convertFiles }, { renderYaml }] = await Promise.all([
          import('../offline/manifest-paths.ts'),
          import('../offline/convert/convert.ts'),
          import('../offline/convert/render.ts'),
        ]);
        const read = await readManifestPaths(paths, process.stdin);
        const { from, to, name, image, pool } = options;
        const { documents, notes, problems } = convertFiles(read.files, { from, to, name, image, pool });
        // YAML is what is made; JSON only when it is asked for.
        if (output.format === 'json')
          await output.data(documents.map(({ title, value, notes: about }) => ({ title, document: value, notes: about })));
        else process.stdout.write(renderYaml(documents));
        for (const { title, notes: about } of documents) for (const note of about) output.note(`${title}: ${note}`);
        for (const note of notes) output.note(note);
        const all = [...read.problems, ...problems];
        for (const line of problemLines(all, output.errorStyle)) output.errorLine(line);
        return all.length === 0 ? EXIT.done : EXIT.error;
      }),
    );
};
