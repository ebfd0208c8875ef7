// Converted documents as YAML that both YAML 1.1 (LXD's reader) and 1.2 read alike. Notes stand above each as comments.
import { stringify } from 'yaml';
import type { Converted } from './convert.ts';

/** All documents; the empty text when there is none. */
export function renderYaml(documents: readonly Converted[]): string {
  return documents.map((one) => `${commentOf(one)}${documentText(one)}`).join('---\n');
}

function documentText({ value }: Converted): string {
  return stringify(value, { version: '1.2', compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false });
}

function commentOf({ title, notes }: Converted): string {
  // Names come from the documents: nothing in them may end the comment, whatever a reader takes for a line break.
  return [title, ...notes].map((line) => `# ${line.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?')}\n`).join('');
}
