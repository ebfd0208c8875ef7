// Manifests that are named on the command line, read here and sent as text: the daemon may see another file system than the person does.
import type { SourceFile } from '../api/types.ts';
import { ClientError } from './errors.ts';
import { readManifestPaths } from './offline/manifest-paths.ts';

/** Files as they are, directories recursively as a source reads them, `-` for stdin. Throws when one cannot be read or there is none. */
export async function collectManifests(paths: readonly string[]): Promise<SourceFile[]> {
  const { files, problems } = await readManifestPaths(paths, process.stdin);
  if (problems.length > 0) throw new ClientError('Nothing was sent: not all manifests can be read.', { problems });
  if (files.length === 0) {
    throw new ClientError(`There are no manifests in ${paths.map((path) => `"${path}"`).join(', ')}.`, {
      hint: 'Manifests are files named *.yaml, *.yml or *.json; dot files are skipped.',
    });
  }
  return files.map(({ path, text }) => ({ path, text }));
}
