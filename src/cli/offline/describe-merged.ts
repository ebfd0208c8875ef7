// lockstep describe --merged NAME PATH... : an object with all its values and where each comes from, from manifests alone.
import { refKey } from '../../core/ref.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import { ClientError } from '../errors.ts';
import { spellOut } from '../kind-words.ts';
import { clean } from '../text.ts';
import { readManifestPaths } from './manifest-paths.ts';
import type { MergedValue, MergedView } from './merged-view.ts';

/** Throws NOT_FOUND when the manifests have no such valid object. */
export async function describeMerged(text: string, paths: readonly string[], project: string | undefined): Promise<MergedView> {
  const [{ mergedView }, { parseManifests }, read] = await Promise.all([
    import('./merged-view.ts'),
    import('../../schemas/parse.ts'),
    readManifestPaths(paths, process.stdin),
  ]);
  const { documents, problems } = parseManifests(read.files);
  const byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
  const wanted = refKey(spellOut(text, project));
  const document: ManifestDocument | undefined = byRef.get(wanted);
  if (document !== undefined) return mergedView(document, { document: (ref) => byRef.get(refKey(ref)) });
  const broken = problems.length > 0 || read.problems.length > 0;
  const hint = broken
    ? 'Some of the manifests have problems: see "lockstep validate".'
    : 'See "lockstep validate" for what is read from a path.';
  throw new ClientError(`There is no valid object "${wanted}" in ${paths.map((path) => `"${path}"`).join(', ')}.`, {
    code: 'NOT_FOUND',
    hint,
  });
}

export function mergedText(view: MergedView): string {
  const lines = [`${view.object}  ${view.file}:${view.line}`];
  if (view.profiles.length > 0) lines.push(`profiles: ${view.profiles.map(({ name, from }) => `${name} (${from})`).join(', ')}`);
  lines.push('', 'config', ...table(Object.entries(view.config)));
  for (const [name, { from, masked, options, over }] of Object.entries(view.devices)) {
    const replaces = over.length === 0 ? '' : `, in place of ${over.join(', ')}`;
    lines.push('', `device ${name}  ${from}${replaces}${masked ? ' (masked)' : ''}`, ...table(Object.entries(options)));
  }
  return `${lines.map(clean).join('\n')}\n`;
}

function table(rows: readonly (readonly [string, MergedValue])[]): string[] {
  const shown = rows.map(([key, { value, from, over }]) => {
    const text = value.includes('\n') ? `${value.split('\n', 1)[0]} ...` : value;
    const before = over.map((one) => `${one.value.split('\n', 1)[0]} of ${one.from}`).join(', ');
    return [key, text.length > 60 ? `${text.slice(0, 57)}...` : text, before === '' ? from : `${from}, over ${before}`] as const;
  });
  const widths = [0, 1].map((at) => Math.max(0, ...shown.map((row) => row[at]!.length)));
  return shown.map(([key, value, from]) => `  ${key.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${from}`);
}
