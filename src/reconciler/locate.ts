// Where in the manifest a field stands, for errors and explanations. Pure.
import type { DesiredObject } from './desired.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
}

/** The object's declaration; with a field (`devices.eth0.network`, `config.limits.memory`), its line, or that of what it stands in. */
export function placeOf(desired: DesiredObject | undefined, field?: string): Place | undefined {
  if (desired === undefined) return undefined;
  const { document } = desired;
  const at = field === undefined ? document.origin : document.locate(pathOf(field));
  return { file: at.file, line: at.line };
}

/** Config keys have dots of their own; devices are a name and an option. */
function pathOf(field: string): string[] {
  const [first = '', ...rest] = field.replace(/^spec\./, '').split('.');
  if (rest.length === 0) return ['spec', first];
  if (first === 'config') return ['spec', first, rest.join('.')];
  if (first === 'devices' && rest.length > 1) return ['spec', first, rest[0]!, rest.slice(1).join('.')];
  return ['spec', first, ...rest];
}
